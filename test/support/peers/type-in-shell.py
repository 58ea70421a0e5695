# Types lines and Tab into a shell at a terminal of its own, and prints as JSON what the shell shows for each, without escape sequences.
# Arguments: the shell's command, what it reads first, and the lines as JSON. A line is begun, completed, shown and killed.
import fcntl, json, os, pty, re, select, struct, sys, termios

command, first, lines = sys.argv[1].split(), sys.argv[2], json.loads(sys.argv[3])
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM='dumb', PS1='ready> ', LC_ALL='C.UTF-8')
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 500, 200, 0, 0))


unread = b''


def read_until(mark):
    global unread
    while mark not in unread:
        if not select.select([terminal], [], [], 30)[0]:
            sys.exit(f'{command[0]} says nothing more: {unread!r}')
        unread += os.read(terminal, 65536)
    shown, unread = unread.split(mark, 1)
    return shown.decode('utf8', 'replace')


def type_in(text, number):
    # The sum is in the answer alone, not in its echo. Before the next prompt the shell does not read what is typed by itself.
    os.write(terminal, f'{text}echo END$(({number}+1000))\n'.encode())
    shown = read_until(f'END{number + 1000}'.encode())
    read_until(b'ready> ')
    return shown


read_until(b'ready> ')
type_in(first + '; ', 0)
shown = [type_in(f'{line}\t\x15', number + 1) for number, line in enumerate(lines)]
escapes = re.compile(r'\x1b\[[0-9;?]*[a-zA-Z]|[\r\x07]')
print(json.dumps([escapes.sub(' ', one).rsplit('echo END', 1)[0] for one in shown]))
