// Which independent programs (Debian packages: postfix, swaks, dkimpy …) a test can talk to. On a developer's machine
// a test without its peer is skipped and says so; under CI a missing peer is a failure, so no check goes missing there.
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

// Postfix's tools and other daemons live where a plain user's PATH does not look.
const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/lib/postfix/sbin'];

/** The full path of a program, or null where this machine has none of that name. A path (of a library) is itself. */
export function findPeer(command: string): string | null {
  if (isAbsolute(command)) return existsSync(command) ? command : null;
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...systemFolders];
  return (
    folders
      .filter((folder) => folder !== '')
      .map((folder) => join(folder, command))
      .find(isProgram) ?? null
  );
}

/** Whether the program is installed here. */
export function hasPeer(command: string): boolean {
  return findPeer(command) !== null;
}

/**
 * Options for a test that needs programs: `test('…', peerOptions('swaks'), …)`. Skips with the names of what is missing;
 * throws where `CI` is set, since there every peer must be installed.
 */
export function peerOptions(...commands: readonly string[]): { skip?: string } {
  const missing = commands.filter((command) => !hasPeer(command));
  if (missing.length === 0) return {};
  const notice = `not installed here: ${missing.join(', ')} (the packages are listed in .ci/run)`;
  if (process.env['CI']) throw new Error(notice);
  return { skip: notice };
}

/** The same inside a running test: `if (!needPeer(t, 'swaks')) return;`. */
export function needPeer(t: { readonly skip: (message: string) => void }, ...commands: readonly string[]): boolean {
  const { skip } = peerOptions(...commands);
  if (skip === undefined) return true;
  t.skip(skip);
  return false;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
