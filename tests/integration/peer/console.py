"""What the console of `kesher menu` says, and whole screens of it, from a pipe."""

from .kesher import Kesher

MENU = """MessageU client at your service.

110) Register
120) Request for clients list
130) Request for public key
140) Request for waiting messages
150) Send a text message
151) Send a request for symmetric key
152) Send your symmetric key
153) Send a file
 0) Exit client
?
"""

OWN_NAME = "Enter your user name:\n"
NAME = "Enter the user name:\n"
TEXT = "Enter your message:\n"
PATH = "Enter the path of the file:\n"
ERROR = "Server responded with an error\n"
SENT = "sent\n"
INVALID = "invalid choice\n"
NOT_REGISTERED = "register first\n"
NO_KEY = "there is no symmetric key with bob: ask for one (151) or send yours (152)\n"
NO_FILE = "file not found\n"


def screen(*outcomes: str) -> str:
    """The menu, and after each outcome the menu again."""
    return MENU + "".join(outcome + MENU for outcome in outcomes)


def screen_of(client: Kesher, *lines: str, end: str = "0\n") -> str:
    """What the console shows when it is given these lines; it must end well and complain to nobody."""
    result = client.succeed("menu", input="".join(line + "\n" for line in lines).encode() + end.encode())
    assert result.stderr == ""
    return result.stdout


def no_user(name: str) -> str:
    return f"there is no user {name}\n"
