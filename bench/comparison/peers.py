"""The servers that are measured: how each is configured, started and stopped.

Each is configured for the work of its row, and fairly: on the same disk, no TLS (`secure_peers.py` adds it), no logging
of requests, where it has to be told one thread fewer than cores, as kesherd by itself, durable exactly where kesher is
durable. What is written here stands in docs/performance.md.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from workspace import Failed, connection_limit, cpu_seconds, family, find_program, free_port


class Peer:
    """A server of one kind. `start` and `stop` may alternate; `prepare` runs once before."""

    name = ""  # of the process and of its directory
    title = ""  # for people
    version_command = ()

    def __init__(self, workspace):
        self.workspace = workspace
        self.process = None
        self.port = 0
        self.cores = len(os.sched_getaffinity(0))  # that it may use

    def prepare(self):
        """What takes long and need not be done for every measurement."""

    def start(self, cpus=None):
        raise NotImplementedError

    def stop(self):
        if self.process is not None:
            self.workspace.stop(self.process)
            self.process = None

    def discard(self):
        """Removes what a measurement left on the disk, so that nobody pays for it later."""

    def configuration(self):
        """The configuration as text, without what is only true of this machine."""
        return ""

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        """Of the process that has the connections."""
        return self.process.pid

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def version(self):
        command = [find_program(self.version_command[0]), *self.version_command[1:]]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        text = (told.stdout + told.stderr).strip()
        return re.split(r" sha=|  protocol", text.splitlines()[0])[0] if text else "unknown"

    @property
    def threads(self):
        """For a server that wants to be told: as many as kesherd takes by itself."""
        return max(1, self.cores - 1)

    def _write(self, name, text):
        path = self.workspace.path / self.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def _launch(self, command, cpus, *, seconds=30, user=None):
        self.process = self.workspace.start(self.name, command, cpus=cpus, user=user)
        self.workspace.wait_for_port(self.process, self.port, seconds)


class Kesherd(Peer):
    name = "kesherd"
    title = "kesher"
    # Limits that protect a server from strangers; the load comes from one address and one user.
    LIFTED = ("--registrations-per-hour", "0", "--keys-per-hour", "0", "--waiting-messages", "0",
              "--waiting-bytes", "0", "--user-files", "0", "--user-bytes", "0", "--users", "0",
              "--unlimited-networks", "127.0.0.0/8")
    _LISTENER = re.compile(r"(drop and messages|chat|ask|secure port|metrics) on ((?:\d+\.){3}\d+:\d+)")

    def __init__(self, workspace, *, service="drop and messages", options=()):
        super().__init__(workspace)
        self.service = service
        self.options = tuple(options)
        self.addresses = {}
        self.start_seconds = 0.0
        self.keep_data = False  # from one start to the next

    @property
    def data(self):
        return self.workspace.path / self.name / "data"

    @property
    def address(self):
        return self.addresses[self.service]

    def _command(self):
        chat, ask, secure = ("127.0.0.1:0" if self.service == name else "off" for name in ("chat", "ask", "secure port"))
        return [self.workspace.build / "kesherd", "--data", self.data, "--listen", "127.0.0.1:0", "--chat", chat,
                "--ask", ask, "--secure", secure, "--log-level", "notice", "--connections", connection_limit(),
                *self.LIFTED, *self.options]

    def start(self, cpus=None):
        if not self.keep_data:
            self.workspace.discard(self.data)
        self.data.parent.mkdir(exist_ok=True)
        begin = time.monotonic()
        self.process = self.workspace.start(self.name, self._command(), cpus=cpus)
        while not re.search(r"\bready\b.*\n", self.process.log_text()):
            if self.process.has_ended() or time.monotonic() > begin + 120:
                raise Failed(f"kesherd did not start: {self.workspace.last_words(self.process)}")
            time.sleep(0.002)
        self.start_seconds = time.monotonic() - begin
        self.addresses = dict(self._LISTENER.findall(self.process.log_text()))

    def discard(self):
        if not self.keep_data:
            self.workspace.discard(self.data.parent)

    def configuration(self):
        return self.workspace.shown(self._command())

    def version(self):
        return self.workspace.run([self.workspace.build / "kesherd", "--version"], is_told=False).output.strip()


class Sshd(Peer):
    """OpenSSH, for scp, sftp and rsync over ssh: no PAM, no compression, the fastest cipher where it is asked."""

    name = "sshd"
    title = "OpenSSH"
    version_command = ("ssh", "-V")

    def prepare(self):
        self.directory = self.workspace.directory(self.name)
        for key in ("host", "user"):
            self.workspace.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / key])
        shutil.copy(self.directory / "user.pub", self.directory / "authorized")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # sshd drops its privileges in there

    def _text(self):
        return (
            f"ListenAddress {self.address}\nHostKey {self.directory}/host\n"
            f"AuthorizedKeysFile {self.directory}/authorized\nStrictModes no\nUsePAM no\nPidFile none\n"
            "PermitRootLogin yes\nCompression no\nUseDNS no\nSubsystem sftp internal-sftp\n"
        )

    def start(self, cpus=None):
        self.port = free_port()
        configuration = self._write("sshd_config", self._text())
        self._launch([find_program("sshd"), "-D", "-e", "-f", configuration], cpus)
        self.target = self.workspace.directory("ssh-target")

    def options(self, cipher="aes128-gcm@openssh.com"):
        return ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                "-o", "Compression=no", "-i", self.directory / "user", "-c", cipher]

    def discard(self):
        self.workspace.discard(self.workspace.path / "ssh-target")

    def configuration(self):
        return self.workspace.without_paths(self._text())


class RsyncDaemon(Peer):
    """rsync without a shell below it: nothing is encrypted."""

    name = "rsyncd"
    title = "rsync daemon"
    version_command = ("rsync", "--version")

    def _text(self):
        owner = "uid = root\ngid = root\n" if os.getuid() == 0 else ""
        return (f"port = {self.port}\naddress = 127.0.0.1\n{owner}use chroot = no\n"
                f"[drop]\npath = {self.workspace.path}/rsync-target\nread only = no\n")

    def start(self, cpus=None):
        self.port = free_port()
        self.workspace.directory("rsync-target")
        configuration = self._write("rsyncd.conf", self._text())
        self._launch([find_program("rsync"), "--daemon", "--no-detach", "--config", configuration], cpus)

    def discard(self):
        self.workspace.discard(self.workspace.path / "rsync-target")

    def configuration(self):
        return self.workspace.without_paths(self._text())


class Redis(Peer):
    name = "redis"
    title = "Redis"
    version_command = ("redis-server", "--version")

    def __init__(self, workspace, *, durable=False):
        super().__init__(workspace)
        self.durable = durable

    def _text(self):
        disk = ("appendonly yes\nappendfsync always\nauto-aof-rewrite-percentage 0\n" if self.durable
                else "appendonly no\n")
        return (
            f"bind 127.0.0.1\nport {self.port}\ndir {self.workspace.path}/redis/data\nsave \"\"\n{disk}"
            f"maxclients {connection_limit()}\nclient-output-buffer-limit pubsub 0 0 0\ntcp-backlog 4096\n"
            "daemonize no\n"
        )

    def start(self, cpus=None):
        self.port = free_port()
        self.workspace.directory("redis/data")
        configuration = self._write("redis.conf", self._text())
        self._launch([find_program("redis-server"), configuration], cpus)

    def discard(self):
        self.workspace.discard(self.workspace.path / "redis")

    def configuration(self):
        return self.workspace.without_paths(self._text())


class Postgres(Peer):
    """PostgreSQL with its defaults but for the number of connections: commits are synchronous."""

    name = "postgres"
    title = "PostgreSQL"
    TABLE = "create table message (id bigserial primary key, receiver int not null, content bytea not null)"
    INSERT = ("insert into message (receiver, content) values (:client_id, decode(repeat('61', 64), 'hex'));")

    def __init__(self, workspace):
        super().__init__(workspace)
        self.user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root

    @property
    def programs(self):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found:
            raise Failed("postgres is not installed")
        return found[-1].parent

    def version(self):
        return self.workspace.run([self.programs / "postgres", "--version"], is_told=False).output.strip()

    def prepare(self):
        directory = self.workspace.directory(self.name)
        if self.user:
            shutil.chown(directory, self.user, self.user)
        self.workspace.run([self.programs / "initdb", "-D", directory / "data", "-A", "trust", "-U", "bench",
                            "--locale=C", "--encoding=UTF8"], user=self.user)
        (directory / "data" / "postgresql.auto.conf").write_text(self._text())
        (directory / "insert.sql").write_text(self.INSERT + "\n")

    def _text(self):
        return ("listen_addresses = '127.0.0.1'\nmax_connections = 1100\nunix_socket_directories = ''\n"
                "fsync = on\nsynchronous_commit = on\nshared_buffers = 256MB\n")

    def start(self, cpus=None):
        self.port = free_port()
        self._launch([self.programs / "postgres", "-D", self.workspace.path / self.name / "data",
                      "-p", self.port], cpus, user=self.user)
        self._query(f"drop table if exists message; {self.TABLE};")

    def _query(self, text):
        begin = time.monotonic()
        while True:  # it accepts connections a moment before it serves them
            try:
                self.workspace.run([self.programs / "psql", "-q", "-h", "127.0.0.1", "-p", self.port, "-U", "bench",
                                    "-c", text, "postgres"], is_told=False)
                return
            except Failed:
                if time.monotonic() > begin + 10:
                    raise
                time.sleep(0.1)

    def stop(self):
        if self.process is not None:
            self.workspace.stop(self.process, signal.SIGINT)  # "fast": without waiting for clients
            self.process = None

    def configuration(self):
        return self._text() + f"-- table:\n{self.TABLE};\n-- pgbench's transaction:\n{self.INSERT}\n"


class Mosquitto(Peer):
    name = "mosquitto"
    title = "Mosquitto"
    version_command = ("mosquitto", "-h")

    def _text(self):
        return (f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence false\n"
                "max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\nlog_type error\n"
                "max_connections -1\n")

    def start(self, cpus=None):
        self.port = free_port()
        configuration = self._write("mosquitto.conf", self._text())
        self._launch([find_program("mosquitto"), "-c", configuration], cpus)

    def configuration(self):
        return self._text()


class Nats(Peer):
    name = "nats"
    title = "NATS"
    version_command = ("nats-server", "--version")

    def _text(self):
        return (f'listen: "127.0.0.1:{self.port}"\nmax_connections: {connection_limit()}\nmax_pending: 268435456\n'
                'write_deadline: "60s"\nlogtime: false\n')

    def start(self, cpus=None):
        self.port = free_port()
        configuration = self._write("nats.conf", self._text())
        self._launch([find_program("nats-server"), "-c", configuration], cpus)

    def configuration(self):
        return self._text()


class Ngircd(Peer):
    name = "ngircd"
    title = "ngIRCd"
    version_command = ("ngircd", "--version")

    def _text(self):
        return (f"[Global]\nName = bench.example\nInfo = bench\nListen = 127.0.0.1\nPorts = {self.port}\n"
                "MotdPhrase = bench\n"
                "[Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxPenaltyTime = 0\n"
                "PingTimeout = 600\n[Options]\nPAM = no\nDNS = no\nIdent = no\n")

    def start(self, cpus=None):
        self.port = free_port()
        configuration = self._write("ngircd.conf", self._text())
        user = "nobody" if os.getuid() == 0 else None  # it would change to that user itself
        self._launch([find_program("ngircd"), "--nodaemon", "--config", configuration], cpus, user=user)

    def configuration(self):
        return self._text()


class Memcached(Peer):
    name = "memcached"
    title = "memcached"
    version_command = ("memcached", "-V")

    def _command(self):
        user = ["-u", "root"] if os.getuid() == 0 else []
        return [find_program("memcached"), *user, "-l", "127.0.0.1", "-p", self.port, "-U", "0",
                "-c", connection_limit(), "-t", self.threads, "-m", "64"]

    def start(self, cpus=None):
        self.port = free_port()
        self._launch(self._command(), cpus)

    def configuration(self):
        return self.workspace.shown(self._command())


class Nginx(Peer):
    """One worker, whose memory is looked at; what it would serve does not matter, its connections only wait."""

    name = "nginx"
    title = "nginx"
    version_command = ("nginx", "-v")

    def _text(self):
        user = "user root;\n" if os.getuid() == 0 else ""
        folder = self.workspace.path / self.name
        temporary = "".join(f" {kind}_temp_path {folder}/{kind};" for kind in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return (f"{user}daemon off;\nworker_processes 1;\npid {folder}/pid;\n"
                f"error_log stderr;\nevents {{ worker_connections {connection_limit()}; }}\n"
                f"http {{ access_log off; client_header_timeout 600s; keepalive_timeout 600s;{temporary}\n"
                f" server {{ listen 127.0.0.1:{self.port} backlog=4096; return 204; }} }}\n")

    def start(self, cpus=None):
        self.port = free_port()
        configuration = self._write("nginx.conf", self._text())
        self._launch([find_program("nginx"), "-c", configuration, "-e", "stderr"], cpus)

    @property
    def pid(self):
        return max(family(self.process.pid) - {self.process.pid})

    def configuration(self):
        return self.workspace.without_paths(self._text())


class Echo(Peer):
    """What the kernel lets any server have: it sends back what comes, and does nothing else."""

    name = "echo"
    title = "bare echo"

    def _command(self):
        return [self.workspace.build / "kesher-bench", "echo", "--server", self.address, "--threads", self.threads]

    def start(self, cpus=None):
        self.port = free_port()
        self._launch(self._command(), cpus)

    def configuration(self):
        return self.workspace.shown(self._command())

    def version(self):
        return self.workspace.run([self.workspace.build / "kesher-bench", "--version"], is_told=False).output.strip()
