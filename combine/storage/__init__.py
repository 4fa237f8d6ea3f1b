"""PostgreSQL: tables, transactions, repositories, migrations. The only room that knows SQL."""
