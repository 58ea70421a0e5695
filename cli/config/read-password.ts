// The password of a user: from the terminal, or the first line of standard input; never from the command line, which every program on the
// machine can read.
import { type CliWorld, cliError } from '#cli/command.ts';
import { hashPassword } from '#pipeline/config/password.ts';

const minLength = 8;

/** Its hash. Throws a CliError if it is too short, or mistyped. */
export async function readPasswordHash(world: CliWorld): Promise<string> {
  const password = world.askSecretly === null ? firstLine(await world.readInput()) : await askTwice(world.askSecretly);
  if (password.length < minLength) throw cliError(`a password has at least ${minLength} characters`, 'weak-password');
  return hashPassword(password);
}

async function askTwice(ask: (question: string) => Promise<string>): Promise<string> {
  const password = await ask('Password: ');
  if ((await ask('Again: ')) !== password) throw cliError('the two are not the same: nothing was changed', 'mistyped');
  return password;
}

function firstLine(input: Buffer): string {
  return input.toString('utf8').split(/\r?\n/)[0] ?? '';
}
