"""Runs the migrations on the connection that it is given, inside that one's transaction."""

from alembic import context

from triune.adapters.ledger.revision import REVISION_TABLE
from triune.adapters.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=REVISION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
