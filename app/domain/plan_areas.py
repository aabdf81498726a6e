"""Of which areas somebody needs the weather."""

from sqlalchemy import or_, select

from ..extensions import db
from ..models import Installation, PlanChoice
from . import weather


def needed() -> list[str]:
    """Return the offices that tell of sites where something is planned."""
    wants = or_(PlanChoice.storm, PlanChoice.night, PlanChoice.cost)
    rows = db.session.execute(
        select(PlanChoice.office, Installation.prefecture)
        .join(Installation, Installation.id == PlanChoice.installation_id)
        .where(Installation.closed_at.is_(None), wants)
        .distinct()
    )
    found = {row.office or weather.office_of(row.prefecture) for row in rows}
    return sorted(found - {""})
