"""Every setting of the studio, its default and its meaning. Read once; changed by the environment.

Each field is an environment variable `TUNESMITH_<NAME>`, a line in `.env`, or a file of that name
(lower case, `tunesmith_<name>`) in the folder named by TUNESMITH_SECRETS, which is how a container
receives passwords. The defaults are a laptop: SQLite, an embedded broker, loopback only.
"""

import hashlib
import os
import secrets
import socket
from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TUNESMITH_", env_file=".env", extra="ignore")

    data: Path = Field(Path("tunesmith-data"), description="The one folder with everything the studio keeps.")
    database: str = Field("", description="SQLAlchemy address; empty: SQLite inside the data folder.")
    broker: str = Field(
        "",
        description="Celery broker address (redis://, amqp://); empty: an embedded Valkey started by `up`.",
    )

    host: str = Field(
        "127.0.0.1", description="Where the web process listens; anything wider demands a login."
    )
    port: int = Field(7870, ge=0, le=65535, description="The port it listens on.")
    allowed_hosts: str = Field("", description="Further Host names people may type, separated by commas.")
    secret: str = Field("", description="Signs login cookies; empty: made once and kept in the data folder.")
    admin_password: str = Field("", description="Creates or updates the user `admin` at start.")

    host_name: str = Field(default_factory=socket.gethostname, description="This worker's name among hosts.")
    cpu_slots: int = Field(1, ge=1, description="Training runs at once on a host without a GPU.")
    threads: int = Field(0, ge=0, description="OpenMP threads a trainer uses; 0: cores divided by slots.")
    standby: bool = Field(True, description="Keep one trainer that has already imported torch waiting.")
    drain: bool = Field(
        True,
        description="When the worker is asked to stop, checkpoint its runs and put them back in the queue.",
    )
    look_every: float = Field(2.0, gt=0, description="Seconds between a worker's looks into the database.")
    stale_after: float = Field(
        15.0, gt=0, description="Seconds without a heartbeat until a run counts as lost."
    )
    stop_grace: float = Field(60.0, gt=0, description="Seconds a trainer has to save before it is killed.")

    keep_points_days: float = Field(
        0,
        ge=0,
        description="Days after its end that a run keeps every point of its metrics; later the extremes of "
        "every 64 are kept. 0: every point for good.",
    )
    mirror_mlflow: str = Field(
        "",
        pattern=r"^(https?://.+)?$",
        description="Address of an MLflow server that is told of every training while it runs. Who asks is "
        "taken from MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD. Empty: none.",
    )
    mirror_trackio: str = Field(
        "",
        pattern=r"^(https?://.+)?$",
        description="The same for a trackio server, as `trackio show` prints it, with its write_token, or "
        "without and the token in TRACKIO_WRITE_TOKEN. Empty: none.",
    )
    grader_hosts: str = Field(
        "",
        description="Hosts that graders may call, separated by commas; * is any. Empty: any as long as the "
        "studio listens on loopback only, none otherwise.",
    )
    max_upload: int = Field(20 * 2**30, description="Largest upload, in bytes.")
    trust_remote_code: bool = Field(False, description="Let a model folder bring Python code. Leave it off.")
    offline: bool = Field(False, description="Never ask a model hub; only local folders and the cache.")

    @property
    def folder(self) -> Path:
        return self.data.expanduser().resolve()

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.folder / 'studio.db'}"

    @property
    def broker_socket(self) -> Path:
        """The embedded broker's socket. Unix socket paths end at about 100 bytes, so not in a deep folder."""
        inside = self.folder / "broker" / "broker.sock"
        if len(os.fsencode(inside)) < 100:
            return inside
        name = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
        return Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp")) / f"tunesmith-{name}.sock"

    @property
    def broker_url(self) -> str:
        return self.broker or f"redis+socket://{self.broker_socket}"

    @property
    def embedded_broker(self) -> bool:
        return not self.broker

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK

    @property
    def host_names(self) -> set[str]:
        """Names a browser may put in its Host header."""
        return (
            LOOPBACK | {self.host} | {name.strip() for name in self.allowed_hosts.split(",") if name.strip()}
        )

    @property
    def secret_key(self) -> str:
        """The cookie-signing key: the setting, or one made at first use and kept with the data (mode 600)."""
        if self.secret:
            return self.secret
        path = self.folder / "secret"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(f".{os.getpid()}")
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
            fresh.replace(path)
        return path.read_text()


@cache
def get() -> Settings:
    return Settings(_secrets_dir=os.environ.get("TUNESMITH_SECRETS"))
