"""PostgreSQL: tables, transactions, repositories, migrations."""
