// Every word by which a command says why it failed (`error.code` of `--json`), with its exit code, what it means and what to do. Scripts go by
// the word: it stays, while the sentence beside it may change. docs/cli.md is made of this table. What a server refuses has the words of
// ops/api/refusals.ts instead.
import { type ExitCode, exitCodes } from './exit-codes.ts';

/** `about`: when it comes; `mend`: what to do. Both for people, in Markdown. */
type ErrorFacts = {
  readonly exit: Extract<ExitCode, 1 | 2>;
  readonly about: string;
  readonly mend: string;
};

const { failed, wrongUse } = exitCodes;

export const errorTable = {
  usage: {
    exit: wrongUse,
    about: 'a command, option or argument is wrong or missing',
    mend: 'the message says which; `--help` of the command has all',
  },
  'bad-url': { exit: wrongUse, about: '`--url` or PILLARBOX_URL is no http or https URL', mend: 'write it whole' },
  'no-password': {
    exit: wrongUse,
    about: 'a password is needed, and there is no terminal to ask at',
    mend: 'set PILLARBOX_PASSWORD',
  },
  'not-confirmed': { exit: wrongUse, about: 'it would delete something', mend: '`--yes` if that is meant' },
  'no-server': {
    exit: failed,
    about: 'no server answers at that address',
    mend: 'start it, or name another with `--url` (`send`: `--server`)',
  },
  'odd-server': {
    exit: failed,
    about: 'what answers is no Pillarbox server, or one of another version',
    mend: 'look at the URL, and at what stands in front of the server; install the version that the server has',
  },
  'broken-off': {
    exit: failed,
    about: 'the server ended within its answer',
    mend: 'see whether it still runs, and ask again',
  },
  'no-config': { exit: failed, about: 'the configuration is not there', mend: '`init`, or `--config FILE`' },
  'bad-config': {
    exit: failed,
    about: 'the configuration is wrong, or would be',
    mend: 'the message names each path, and what was expected',
  },
  'not-writable': {
    exit: failed,
    about: 'the configuration cannot be written',
    mend: 'run it as the owner of the file',
  },
  changed: {
    exit: failed,
    about: 'somebody else changed it at the same moment; nothing was written',
    mend: 'try again (`config push`: get it again first)',
  },
  exists: {
    exit: failed,
    about: 'what is to be made is there already, and stays as it is',
    mend: 'choose another name; a user: `--replace`',
  },
  'no-domain': { exit: failed, about: 'the domain is not in the configuration', mend: '`domain add`' },
  'no-mailbox': { exit: failed, about: 'there is no such mailbox', mend: '`mailbox add`' },
  'no-alias': { exit: failed, about: 'there is no such alias', mend: '`alias add`' },
  'no-target': { exit: failed, about: 'the alias does not lead there', mend: 'the message says where it leads' },
  'no-copy': {
    exit: failed,
    about: 'a mailbox that has an alias of its name would get nothing any more',
    mend: 'leave it among the targets, or take the alias away whole',
  },
  'no-user': { exit: failed, about: 'there is no such user', mend: '`user list` has all' },
  'in-use': {
    exit: failed,
    about: 'something else in the configuration names what is to be removed',
    mend: 'remove that first: the message has the commands',
  },
  'weak-password': { exit: failed, about: 'the password is too short', mend: 'take a longer one' },
  mistyped: { exit: failed, about: 'the two passwords that were typed are not the same', mend: 'type it again' },
  'no-file': { exit: failed, about: 'a file that was named cannot be read', mend: 'look at its name and rights' },
  refused: { exit: failed, about: 'the mail server refused the message', mend: 'the message has its reply' },
  'not-sent': { exit: failed, about: 'the message could not be sent', mend: 'the message says why' },
  'no-deployment': {
    exit: failed,
    about: 'there is no such deployment on AWS',
    mend: 'look at the name (`serviceName`), the region and the account',
  },
  'no-credentials': { exit: failed, about: 'there are no AWS credentials', mend: 'log in, or set AWS_PROFILE' },
  'bad-credentials': { exit: failed, about: 'AWS does not accept the credentials', mend: 'log in again' },
  denied: { exit: failed, about: 'AWS does not allow it', mend: 'the message names the right that is missing' },
  throttled: { exit: failed, about: 'AWS was asked too often', mend: 'try again in a minute' },
  'not-reached': { exit: failed, about: 'AWS cannot be reached', mend: 'look at the network and the region' },
  'aws-failed': { exit: failed, about: 'AWS failed in another way', mend: 'the message has its words' },
  'not-fitting': {
    exit: failed,
    about: 'the deployment cannot do what the new configuration says; nothing was written',
    mend: 'the message says of each setting what to write',
  },
  'no-base': {
    exit: failed,
    about: 'the file does not say which version it was made from',
    mend: '`config get` it again, or `--replace`',
  },
  'no-version': { exit: failed, about: 'there is no such version', mend: '`config history` has all' },
  'other-deployment': {
    exit: failed,
    about: 'the file was got from another deployment',
    mend: 'name that with `--stack`, or `config get` from this one',
  },
  'no-terminal': { exit: failed, about: 'there is no terminal to edit at', mend: '`config get` and `config push`' },
  'not-written': {
    exit: failed,
    about: 'the edit could not be put in force',
    mend: 'it is kept in a file: the message has its path, and the command to go on with',
  },
  failed: {
    exit: failed,
    about: 'anything else: a full disk, a backup that is not whole, a bug',
    mend: 'the message says what it was',
  },
} as const satisfies Readonly<Record<string, ErrorFacts>>;

export type CliErrorCode = keyof typeof errorTable;
