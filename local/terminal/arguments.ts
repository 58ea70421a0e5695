// The arguments of `npm start` and `pillarbox start`, and what `--help` says about them.
import { parseArgs } from 'node:util';
import { errorMessage, type Problem, problem } from '#mail/problem.ts';

/** What the command line asked for; `configPath` null: `pillarbox.json` where there is one. */
export type Arguments = {
  readonly configPath: string | null;
  readonly dataFolder: string;
  readonly http: { readonly host: string; readonly port: number };
  readonly world: 'embedded' | 'emulator';
  readonly verbose: boolean;
  readonly help: boolean;
};

/** What `--help` prints. */
export const usage = `Usage: npm start -- [options]
       pillarbox start [options]

Runs Pillarbox on this machine: mail comes in over SMTP and is to be read as JSON, on a page and over an API.
Without a configuration it is a capture server: every recipient is accepted, nothing is relayed, and only
programs on this machine can reach it.

  --config FILE      the configuration (default: pillarbox.json where there is one)
  --data DIR         where mail and queues are kept (default: .pillarbox)
  --http PORT        the page and the API (default: 8025; 0 for any free port)
  --http-host HOST   the address they are bound to (default: 127.0.0.1; elsewhere a token is needed)
  --world NAME       embedded (default), or emulator: the AWS adapters against S3 and SQS emulated here
  --verbose          log every message, also without a configuration
  --help             this text
`;

/** Reads the arguments; a Problem says which one is wrong and what was expected. */
export function parseArguments(args: readonly string[]): Arguments | Problem {
  const parsed = readOptions(args);
  if ('problem' in parsed) return parsed;
  const { config, data = '.pillarbox', http = '8025', world = 'embedded', verbose, help } = parsed;
  const port = /^\d{1,5}$/.test(http) ? Number(http) : Number.NaN;
  if (!(port <= 65_535)) return problem(`--http ${http}: a port from 0 to 65535 was expected`);
  if (world !== 'embedded' && world !== 'emulator')
    return problem(`--world ${world}: embedded or emulator was expected`);
  return {
    configPath: config ?? null,
    dataFolder: data,
    http: { host: parsed['http-host'] ?? '127.0.0.1', port },
    world,
    verbose: verbose ?? false,
    help: help ?? false,
  };
}

function readOptions(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { config: text, data: text, http: text, 'http-host': text, world: text, verbose: flag, help: flag };
  try {
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    // parseArgs throws what it did not understand as a sentence: a value for whoever typed it.
    return problem(errorMessage(error));
  }
}
