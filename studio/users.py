"""People who may log in. Passwords are kept as argon2 hashes only."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio.errors import NotFound, StudioError
from studio.models import User

_hasher = PasswordHasher()
_nobody = _hasher.hash("so that an unknown name takes as long as a wrong password")
SHORTEST = 8


def put(session: Session, name: str, password: str) -> User:
    """Creates the user, or gives an existing one this password."""
    if not name.strip():
        raise StudioError("A user needs a name.", field="name")
    if len(password) < SHORTEST:
        raise StudioError(f"The password needs at least {SHORTEST} characters.", field="password")
    user = session.scalar(select(User).where(User.name == name)) or User(name=name)
    user.password_hash = _hasher.hash(password)
    session.add(user)
    return user


def verify(session: Session, name: str, password: str) -> User | None:
    """The user if the password is theirs, else None."""
    user = session.scalar(select(User).where(User.name == name))
    try:
        _hasher.verify(user.password_hash if user else _nobody, password)
    except (VerifyMismatchError, InvalidHashError):
        return None
    return user


def find(session: Session, name: str) -> User:
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise NotFound(f"There is no user “{name}”.", hint=f"Add them: tunesmith user add {name}")
    return user


def any_exist(session: Session) -> bool:
    return session.scalar(select(User.id).limit(1)) is not None
