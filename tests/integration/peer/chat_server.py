#!/usr/bin/python3
"""The course's own server of group chat, as it is published, for tests of the client; a program of its own.

    peer/chat_server.py [PORT [APOSTROPHE]]

Its faults are kept, since clients have to live with them: it takes whatever one recv gives for one input, with its
newline, so that "1\\n" is no option; ids and passwords go through int(), and a thread that they end leaves its
connection open; every group's password opens every group; a member who goes without Exit is one whose thread
reads nothing, over and over; where there are several groups, several threads read one connection, and after an
Exit it stays open as long as one of them waits. Different from the published one are the port, given or free, the
line that tells it, and that a member is one before being told so, not a moment after it: a test that writes at once
would have to outrun the thread that enters its reader. Its apostrophe is ASCII's in one copy, and U+2019 in the other: a word processor's.
"""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HOST = "127.0.0.1"
FORMAT = "utf-8"
LISTENING = "[LISTENING] server is listening on "

apostrophe = "'"
group_id_counter = 1
clients_in_groups = []
groups_id_list = []
password_groups = []


def handle_client1(conn, addr):
    global group_id_counter
    print("[CLIENT CONNECTED] on address: ", addr)
    conn.send(
        "Hello client, please choose an option: \n "
        "1. Connect to a group chat. \n 2. Create a group chat. \n "
        "3. Exit the server. \n ".encode(FORMAT)
    )
    msg = conn.recv(1024).decode(FORMAT)
    if msg == "1":
        conn.send("Enter your name: \n".encode(FORMAT))
        name = conn.recv(1024).decode(FORMAT)
        conn.send("Enter group ID: \n".encode(FORMAT))
        gro_id = conn.recv(1024).decode(FORMAT)
        while int(gro_id) not in list(groups_id_list):
            conn.send("There is no group id like this,try again".encode(FORMAT))
            conn.send("Enter group ID: \n".encode(FORMAT))
            gro_id = conn.recv(1024).decode(FORMAT)
        conn.send("Enter password: \n".encode(FORMAT))
        pass1 = conn.recv(1024).decode(FORMAT)
        while int(pass1) not in list(password_groups):
            conn.send("There is no group password like this,try again".encode(FORMAT))
            conn.send("Enter password: \n".encode(FORMAT))
            pass1 = conn.recv(1024).decode(FORMAT)
        clients_in_groups[int(gro_id) - 1].append(conn)
        conn.send((f"You{apostrophe}re connected to group chat #" + gro_id + "\n").encode(FORMAT))
        handle_conv(conn, gro_id, name)
    elif msg == "2":
        conn.send("Enter your name: \n".encode(FORMAT))
        name = conn.recv(1024).decode(FORMAT)
        conn.send("Enter password for the group: \n".encode(FORMAT))
        password = conn.recv(1024).decode(FORMAT)
        password_groups.append(int(password))
        the_group_id = group_id_counter
        group_id_counter += 1
        groups_id_list.append(int(the_group_id))
        while len(clients_in_groups) < the_group_id:
            clients_in_groups.append([])  # not in the published code, which cannot have run without it
        clients_in_groups[int(the_group_id) - 1].append(conn)
        conn.send(
            (
                "The id of the group is:"
                + str(the_group_id)
                + f"\nYou{apostrophe}re connected to group chat #"
                + str(the_group_id)
                + "\n"
                + "You can start to talk!"
            ).encode(FORMAT)
        )
        handle_conv(conn, the_group_id, name)
    elif msg == "3":
        conn.send("Exit the chat \n".encode(FORMAT))
        print("[CLIENT DISCONNECTED]")
        conn.close()
        exit()
    else:
        conn.send("You chose an invalid option... \n".encode(FORMAT))


def handle_conv(conn, gro_id, name):
    time.sleep(0.1)
    for client in clients_in_groups:
        thread = threading.Thread(target=handle_msg, args=(conn, gro_id, name), daemon=True)
        thread.start()


def handle_msg(conn, gro_id, name):
    global group_id_counter
    while len(list(clients_in_groups[int(gro_id) - 1])) >= 1:
        msg = conn.recv(1024).decode(FORMAT)
        index = 0
        while clients_in_groups[int(gro_id) - 1][int(index)] != conn:
            index += 1
        if msg == "Exit":
            clients_in_groups[int(gro_id) - 1][index] = -1
            clients_in_groups[int(gro_id) - 1].remove(-1)
            conn.send("You chose exit so you removed from the group. \n".encode(FORMAT))
            print(f"{name} has removed from the group: {gro_id} \n")
            for client in list(clients_in_groups[int(gro_id) - 1]):
                if client != conn:
                    client.send(f"{name} has removed from the group \n".encode(FORMAT))
            print("[CLIENT DISCONNECTED]")
            conn.close()
            if len(list(clients_in_groups[int(gro_id) - 1])) == 0:
                group_id_counter -= 1
                groups_id_list.remove(groups_id_list[int(gro_id) - 1])
                password_groups.remove(password_groups[int(gro_id) - 1])
                print("Group number: " + str(gro_id) + " has deleted!\n")
            return
        if msg != "":
            for client in list(clients_in_groups[int(gro_id) - 1]):
                if client != conn:
                    client.send(f"{name}: {msg}".encode(FORMAT))


def start_server(port):
    server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server_socket.bind((HOST, port))
    server_socket.listen()
    print(f"{LISTENING}{HOST} {server_socket.getsockname()[1]}", flush=True)
    while True:
        connection, address = server_socket.accept()
        thread = threading.Thread(target=handle_client1, args=(connection, address), daemon=True)
        thread.start()


class CourseChatServer:
    """Runs it as the process of its own that it is; what it says of its own errors is nobody's concern."""

    def __init__(self, apostrophe: str = "'"):
        self.apostrophe = apostrophe
        self.process = subprocess.Popen(
            [sys.executable, "-I", __file__, "0", apostrophe],  # its neighbours are no modules of its
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line.startswith(LISTENING), line
        host, port = line.removeprefix(LISTENING).split()
        self.chat_address = (host, int(port))

    @property
    def threads(self) -> int:
        """One that accepts, and one or more for each client, until it has done all that belongs to its end."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


if __name__ == "__main__":
    apostrophe = sys.argv[2] if len(sys.argv) > 2 else apostrophe
    start_server(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
