"""The servers of `peers.py` with TLS.

All have one key and one certificate: ECDSA P-256, signed by itself. Which version, cipher suite and group are spoken
decides the generator, who offers TLS 1.3, TLS_AES_128_GCM_SHA256 and X25519 alone; so here stands only what each of
them needs to speak TLS at all.
"""

import os
import shutil

from peers import Kesherd, Mosquitto, Nats, Nginx, Ngircd, Redis
from workspace import free_port

_DAYS = 3650


def _key_pair(workspace):
    """The certificate and its key, which are made for the first who asks."""
    certificate, key = workspace.path / "tls" / "certificate.pem", workspace.path / "tls" / "key.pem"
    if not certificate.exists():
        workspace.directory("tls")
        workspace.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                       "-keyout", key, "-out", certificate, "-days", _DAYS, "-subj", "/CN=bench.example"],
                      is_told=False)
        key.chmod(0o600)  # kesherd takes no other
    return certificate, key


class WithTls:
    """What they share: the key."""

    def prepare(self):
        super().prepare()
        self.certificate, self.key = _key_pair(self.workspace)


class SecureKesherd(WithTls, Kesherd):
    """Its secure port."""

    def __init__(self, workspace, *, options=()):
        super().__init__(workspace, service="secure port", options=options)

    def _command(self):
        return [*super()._command(), "--certificate", self.certificate, "--private-key", self.key]


class SecureNginx(WithTls, Nginx):
    """Full handshakes: it keeps no sessions. `workers` as its people have them: one, or as many as cores."""

    def __init__(self, workspace, *, workers=1):
        super().__init__(workspace)
        self.workers = workers

    def _text(self):
        plain = super()._text()
        tls = (f" ssl_certificate {self.certificate};\n ssl_certificate_key {self.key};\n ssl_protocols TLSv1.3;\n"
               " ssl_session_cache off;\n ssl_session_tickets off;\n")
        return (plain.replace("worker_processes 1;", f"worker_processes {self.workers};")
                .replace(f"127.0.0.1:{self.port} ", f"127.0.0.1:{self.port} ssl ").replace(" server {", f"{tls} server {{"))


class SecureRedis(WithTls, Redis):
    def _text(self):
        return (super()._text().replace(f"\nport {self.port}\n", f"\nport 0\ntls-port {self.port}\n")
                + f"tls-cert-file {self.certificate}\ntls-key-file {self.key}\ntls-auth-clients no\n"
                  "tls-session-caching no\n")


class SecureMosquitto(WithTls, Mosquitto):
    def _text(self):
        listener, rest = super()._text().split("\n", 1)
        return f"{listener}\ncertfile {self.certificate}\nkeyfile {self.key}\n{rest}"

    def configuration(self):
        return self.workspace.without_paths(super().configuration())


class SecureNats(WithTls, Nats):
    """TLS begins behind its INFO: this version knows no other way. It has two seconds for a handshake by itself, which
    are not enough when a thousand come at a time."""

    def _text(self):
        return (f'{super()._text()}tls {{ cert_file: "{self.certificate}", key_file: "{self.key}", timeout: 30 }}\n')

    def configuration(self):
        return self.workspace.without_paths(super().configuration())


class SecureNgircd(WithTls, Ngircd):
    def prepare(self):
        super().prepare()
        own = self.workspace.directory(f"{self.name}-tls")
        own.chmod(0o711)
        self.key = shutil.copy(self.key, own / "key.pem")
        self.certificate = shutil.copy(self.certificate, own / "certificate.pem")
        if os.getuid() == 0:  # it is another user there
            shutil.chown(self.key, "nobody")
            shutil.chown(self.certificate, "nobody")

    def _text(self):
        return (super()._text().replace(f"Ports = {self.port}\n", f"Ports = {self.plain_port}\n")
                + f"[SSL]\nCertFile = {self.certificate}\nKeyFile = {self.key}\nPorts = {self.port}\n")

    def start(self, cpus=None):
        self.plain_port = free_port()  # it cannot do without one
        super().start(cpus)

    def configuration(self):
        return self.workspace.without_paths(super().configuration())
