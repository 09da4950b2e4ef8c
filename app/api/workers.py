"""Hosts, their devices and who holds them."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from studio import db
from studio.models import Host, Lease

router = APIRouter(prefix="/api", tags=["workers"])


@router.get("/workers")
def listed() -> list[dict[str, Any]]:
    with db.reading() as session:
        leases = {(lease.host, lease.device): lease.run_id for lease in session.scalars(select(Lease))}
        return [
            {
                "host": host.name,
                "seen": host.seen,
                "about": host.about,
                "devices": [d | {"run": leases.get((host.name, d["name"]))} for d in host.devices],
            }
            for host in session.scalars(select(Host).order_by(Host.name))
        ]
