"""scripts/architecture: each kind of wrong is found in a small tree, and told with the files that it is about."""

import json
import shutil
import subprocess
import types

import pytest
from peer.kesherd import REPOSITORY

SCRIPT = REPOSITORY / "scripts/architecture"


def judging(root):
    """The script as a module, about the tree `root`."""
    module = types.ModuleType("architecture")
    module.__file__ = str(SCRIPT)
    exec(compile(SCRIPT.read_text(encoding="utf-8"), SCRIPT, "exec"), module.__dict__)
    module.ROOT = root
    return module


class Tree:
    """Sources with the folders of kesher, and their objects."""

    def __init__(self, root):
        self.root = root
        self.build = root / "build"
        self.build.mkdir()
        self.entries = []
        self.architecture = judging(root)

    def write(self, path, text=""):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def compile(self, path, text):
        """Writes a .c file and compiles it."""
        self.write(path, text)
        output = path.replace("/", "_") + ".o"
        subprocess.run(["cc", "-I.", "-Isrc", "-Iinclude", "-c", path, "-o", self.build / output], cwd=self.root,
                       check=True, timeout=60)
        self.entries.append({"directory": str(self.build), "file": f"../{path}", "output": output})

    def wrong(self):
        (self.build / "compile_commands.json").write_text(json.dumps(self.entries))
        return list(self.architecture.judge(self.build))


@pytest.fixture
def tree(tmp_path):
    if shutil.which("cc") is None or shutil.which("nm") is None:
        pytest.skip("there is no compiler, or no nm")
    return Tree(tmp_path)


def test_a_tree_that_keeps_all_rules_is_not_complained_of(tree):
    tree.write("src/base/text.h", "struct ks_text { int size; };\nint ks_text(void);\n")
    tree.compile("src/base/text.c", '#include "base/text.h"\nint ks_text(void) { return 1; }\n')
    tree.compile("src/wire/frame.c",
                 '#include "base/text.h"\n#include <string.h>\nint ks_frame(void) { return ks_text(); }\n')
    tree.compile("src/server/main.c", "int ks_frame(void);\nint main(void) { return ks_frame(); }\n")
    tree.compile("src/cli/main.c", "int main(void) { return 0; }\n")
    assert tree.wrong() == []


def test_a_call_against_the_order_of_the_rooms_is_found(tree):
    tree.compile("src/base/text.c", "int ks_frame(void);\nint ks_text(void) { return ks_frame(); }\n")
    tree.compile("src/wire/frame.c", "int ks_frame(void) { return 1; }\n")
    assert tree.wrong() == [
        "src/base/text.c uses ks_frame of src/wire/frame.c, but beside itself src/base may use nothing (ROOMS)"]


def test_a_table_counts_as_a_call(tree):
    tree.compile("src/net/tcp/tcp.c", "extern const int ks_table[];\nint ks_tcp(void) { return ks_table[0]; }\n")
    tree.compile("src/service/core/rules.c", "const int ks_table[] = {1};\n")
    (wrong,) = tree.wrong()
    assert wrong.startswith("src/net/tcp/tcp.c uses ks_table of src/service/core/rules.c, but beside itself src/net ")


def test_an_include_against_the_order_of_the_rooms_is_found(tree):
    tree.write("src/client/home/home.h")
    tree.write("src/service/ask/ask.h", '#include "client/home/home.h"\n')
    (wrong,) = tree.wrong()
    assert wrong.startswith("src/service/ask/ask.h includes src/client/home/home.h, but beside itself src/service ")


def test_of_a_seam_only_its_header_is_known(tree):
    tree.write("src/net/connection.h")
    tree.write("src/net/worker.h")
    tree.write("src/store/store.h")
    tree.write("src/store/embedded/engine.h")
    tree.write("src/service/core/session.h", "".join(f'#include "{path}"\n' for path in (
        "net/connection.h", "net/worker.h", "store/store.h", "store/embedded/engine.h")))
    worker, engine = tree.wrong()
    assert worker.startswith("src/service/core/session.h includes src/net/worker.h, ")
    assert engine.startswith("src/service/core/session.h includes src/store/embedded/engine.h, ")


def test_a_call_against_the_order_of_folders_is_found(tree):
    tree.compile("src/client/home/home.c", "int ks_chat(void);\nint ks_home(void) { return ks_chat(); }\n")
    tree.compile("src/client/chat/chat.c", "int ks_chat(void) { return 1; }\n")
    (wrong,) = tree.wrong()
    assert wrong.startswith("src/client/home/home.c uses ks_chat of src/client/chat/chat.c, but in src/client a ")
    assert "home, transport, account, people" in wrong


def test_an_include_that_is_no_path_from_src_is_found(tree):
    tree.write("src/base/text.h")
    tree.write("src/base/log.h", '#include "text.h"\n')
    tree.write("src/base/file.h", '#include "base/../base/text.h"\n')
    file, log = tree.wrong()
    assert file.startswith('src/base/file.h includes "base/../base/text.h", which is no path from src/')
    assert log.startswith('src/base/log.h includes "text.h", which is no path from src/')


def test_a_library_outside_of_its_place_is_found(tree):
    tree.write("src/crypto/rsa.h", "#include <openssl/evp.h>\n")
    tree.write("src/client/home/home.h", "#include <openssl/evp.h>\n")
    tree.write("src/store/store.h", "#include <sqlite3.h>\n")
    assert tree.wrong() == [
        "src/client/home/home.h includes <openssl/evp.h>, which is known to src/crypto alone",
        "src/store/store.h includes <sqlite3.h>, which is known to src/store/embedded alone"]


def test_a_room_and_a_folder_that_nobody_has_listed_are_found(tree):
    tree.write("src/cellar/barrel.h")
    tree.write("src/client/cellar/bottle.h")
    assert tree.wrong() == [
        "src/cellar/barrel.h: in no room of ROOMS",
        "src/client/cellar/bottle.h: its folder is not in the order of src/client (FOLDERS)"]


def circle(tree):
    tree.compile("src/base/one.c", "int ks_two(void);\nint ks_one(void) { return ks_two(); }\n")
    tree.compile("src/base/two.c", "int ks_three(void);\nint ks_two(void) { return ks_three(); }\n")
    tree.compile("src/base/three.c", "int ks_one(void);\nint ks_three(void) { return ks_one(); }\n")


def test_a_circle_is_found_with_what_makes_it(tree):
    circle(tree)
    (wrong,) = tree.wrong()
    assert wrong.splitlines() == [
        "3 files call each other in a circle (one object in several files goes to NATURAL):",
        "    src/base/one.c -> src/base/two.c: ks_two",
        "    src/base/three.c -> src/base/one.c: ks_one",
        "    src/base/two.c -> src/base/three.c: ks_three"]


def test_a_natural_circle_is_allowed_and_one_that_is_gone_is_told(tree):
    circle(tree)
    tree.architecture.NATURAL = [
        (["src/base/one.c", "src/base/two.c", "src/base/three.c"], "one object"),
        (["src/base/two.c", "src/base/one.c"], "was one")]
    assert tree.wrong() == ["listed in NATURAL and no circle: src/base/one.c, src/base/two.c"]


def test_names_that_occur_twice_are_found(tree):
    tree.compile("src/base/text.c", "struct ks_row { int size; };\nint ks_text(void) { return 1; }\n")
    tree.compile("bench/load/text.c", "static int own(void) { return 2; }\nint ks_text(void) { return own(); }\n")
    tree.compile("src/wire/frame.c", "static int own(void) { return 3; }\nint ks_frame(void) { return own(); }\n")
    tree.write("src/wire/frame.h", "union ks_row {\n    int size;\n};\n")
    assert tree.wrong() == [
        "the file name text occurs 2 times, and may once: bench/load/text, src/base/text",
        "the tag ks_row occurs 2 times, and may once: src/base/text.c, src/wire/frame.h",
        "the exported name ks_text occurs 2 times, and may once: bench/load/text.c, src/base/text.c"]


def test_a_file_and_its_header_in_one_folder_are_one_name(tree):
    tree.write("src/base/text.h")
    tree.compile("src/base/text.c", "int ks_text(void) { return 1; }\n")
    tree.write("include/kesher/text.h")
    assert tree.wrong() == []


def test_a_folder_with_too_many_files_is_found(tree):
    for number in range(25):
        tree.write(f"tests/unit/base/test_{number}.c")
        tree.write(f"src/base/header_{number}.h")
    assert tree.wrong() == ["tests/unit/base has 25 .c files, more than 24"]


def test_a_file_that_was_not_built_is_told(tree):
    tree.compile("src/base/text.c", "int ks_text(void) { return 1; }\n")
    tree.write("src/base/forgotten.c")
    assert tree.wrong() == [f"not built in {tree.build}, so nobody knows what they use: src/base/forgotten.c"]


def test_one_of_the_two_editors_need_not_be_built(tree):
    tree.compile("src/cli/terminal/editor_plain.c", "int ks_editor(void) { return 1; }\n")
    tree.write("src/cli/terminal/editor_readline.c")
    assert tree.wrong() == []


def test_its_tables_name_what_is_there():
    architecture = judging(REPOSITORY)
    places = [*architecture.ROOMS, *architecture.LIBRARIES.values(), *architecture.ALTERNATIVES]
    places += [place for allowed in architecture.ROOMS.values() for place in allowed]
    places += [f"{room}/{folder}" for room, folders in architecture.FOLDERS.items() for folder in folders]
    places += [file for files, _ in architecture.NATURAL for file in files]
    assert [place for place in places if not (REPOSITORY / place).exists()] == []


def run(*arguments):
    return subprocess.run([SCRIPT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                          timeout=60, check=False)


def test_it_says_what_is_wrong_and_fails(tmp_path):
    (tmp_path / "compile_commands.json").write_text("[]")  # nothing of the tree was built
    ended = run(tmp_path)
    assert ended.returncode == 1 and ended.stderr == ""
    assert ended.stdout.startswith(f"not built in {tmp_path}, so nobody knows what they use: ")


def test_what_is_no_build_directory_is_told(tmp_path):
    ended = run(tmp_path)
    assert ended.returncode == 2 and ended.stdout == ""
    assert f"{tmp_path} is no build directory" in ended.stderr
