"""Custom workflows over the API: the path of their folder is not revealed."""

import json
import shutil
from pathlib import Path

from api_server import api_server
from api_world import World

import combine.seed


def test_a_custom_workflow_is_shown_without_its_folder(database_url, tmp_path):
    seed = Path(next(iter(combine.seed.__path__)))
    for folder in ("workflows", "prompts/tasks"):
        (tmp_path / folder).mkdir(parents=True)
    definition = json.loads((seed / "workflows" / "strategy-document.json").read_text())
    (tmp_path / "workflows" / "my own.json").write_text(json.dumps({**definition, "workflow_id": "mine"}))
    for step in definition["steps"]:
        task = f"{step['step_id']}.txt"
        shutil.copy(seed / f"prompts/tasks/strategy-document-{task}", tmp_path / f"prompts/tasks/mine-{task}")
    with (
        api_server(database_url, workflows_dir=tmp_path) as server,
        server.client(World(server).person().token) as client,
    ):
        listed, shown = client.get("/api/v1/workflows"), client.get("/api/v1/workflows/mine")
    sources = {one["workflow_id"]: one["source"] for one in listed.json()["items"]}
    assert sources == {"mine": "my own.json", "strategy-document": "built in"}
    assert shown.json()["workflow"]["source"] == "my own.json"
    assert str(tmp_path) not in listed.text + shown.text
