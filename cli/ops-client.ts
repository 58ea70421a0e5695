// Commands that ask the ops API of a running server, or a deployment on AWS in the same way. Failures become sentences for
// the user: no server is running, a token is needed, there is no such message.
import type { z } from 'zod';
import { serviceRoutes } from '#ops/api/routes.ts';
import { isPart, type UseCase } from '#ops/api/use-case.ts';
import { type Answered, askDeployment } from './ask-deployment.ts';
import { oddAnswer, parseJson, refusedTyped, requestServer, type ServerRequest, serverOptions } from './ask-server.ts';
import { type CliArguments, type CliWorld, type Command, cliError, optionValue, plain, print } from './command.ts';
import { refuseStackOptions, stackOptions } from './deployment.ts';
import { exitCodes } from './exit-codes.ts';

const anywhereOptions = {
  ...serverOptions,
  ...stackOptions,
  stack: { value: 'NAME', about: 'ask the deployment of this name on AWS instead' },
} as const;

export const pageOptions = {
  limit: { value: 'N', about: 'at most so many (default 20)' },
  after: { value: 'NEXT', about: 'the page after: "next" of the one before' },
} as const;
export const pageDefaults = { limit: '20' } as const;

export function page(shown: string, next: string | null): string {
  return next === null ? shown : `${shown.trimEnd()}\n\nOlder: --after ${next}\n`;
}

type Asked = UseCase<never>;

type GoesOn<Answer> = {
  readonly sum: Answer;
  readonly progress: string | null;
  readonly more: Readonly<Record<string, string>>;
};

/**
 * A command that asks for one use case and shows the answer. The parts of its path are the positional arguments in order;
 * its other parameters are the options of the same name (`true` for a switch), else `defaults`. `reads`: only what is shown of the answer, so that
 * a server of another version works, too. `check` throws if the command line is wrong. `shows`: for people; `--json` prints
 * the whole answer. `goesOn`: if the answer is only a part of the work, the sentence that says how far it is, and then the same is
 * asked again, with the parameters of `more`; null: it is done. It adds up what the answers say.
 */
export function asking<Shape extends z.ZodType>({
  asks,
  defaults = {},
  body,
  check = () => {},
  reads,
  shows,
  goesOn = (answer) => ({ sum: answer, progress: null, more: {} }),
  options = {},
  isOnAws = true,
  takes,
  ...rest
}: Pick<Command, 'name' | 'usage' | 'about'> & {
  readonly asks: Asked & { readonly gives: z.ZodType };
  readonly options?: Command['options'];
  readonly defaults?: Readonly<Record<string, string>>;
  /** The JSON that is sent along. */
  readonly body?: (given: CliArguments) => unknown;
  /** The least and the most positional arguments, if there are others than the parts of the path. */
  readonly takes?: Command['takes'];
  readonly check?: (given: CliArguments) => void;
  /** Whether a deployment on AWS can be asked, too. */
  readonly isOnAws?: boolean;
  readonly reads: Shape;
  readonly shows: (answer: z.output<Shape>, given: CliArguments) => string;
  readonly goesOn?: (answer: z.output<Shape>, sum: z.output<Shape> | null) => GoesOn<z.output<Shape>>;
}): Command {
  const parts = Object.keys(asks.takes?.shape ?? {}).filter(isPart).length;
  return {
    ...rest,
    takes: takes ?? [parts, parts],
    gives: asks.gives,
    options: { ...options, ...(isOnAws ? anywhereOptions : serverOptions) },
    run: async (given, world) => {
      check(given);
      let sum: z.output<Shape> | null = null;
      let more: GoesOn<z.output<Shape>>['more'] = {};
      for (;;) {
        const answer = parseJson(
          await ask(given, world, { asks, defaults: { ...defaults, ...more }, body: body?.(given) }),
        );
        const read = reads.safeParse(answer);
        if (!read.success) throw oddAnswer();
        const isFirst: boolean = sum === null;
        const so = goesOn(read.data, sum);
        ({ sum, more } = so);
        if (so.progress !== null) world.writeError(`${plain(so.progress)}\n`);
        else {
          print(given, world, { json: isFirst ? answer : sum, text: shows(sum, given) });
          return exitCodes.done;
        }
      }
    },
  };
}

/** The response's body. Throws a CliError for every refusal. */
export async function ask(
  given: CliArguments,
  world: CliWorld,
  {
    asks,
    defaults = {},
    body: json,
  }: { readonly asks: Asked; readonly defaults?: Readonly<Record<string, string>>; readonly body?: unknown },
): Promise<Buffer> {
  const [method = '', pattern = ''] = serviceRoutes.find(({ does }) => does === asks)?.at.split(' ') ?? [];
  const positionals = given.positionals.values();
  const path = pattern.replace(/\b[A-Z]+\b/g, () => encodeURIComponent(positionals.next().value ?? ''));
  const query = new URLSearchParams();
  for (const name of Object.keys(asks.takes?.shape ?? {})) {
    const value = isPart(name)
      ? null
      : (optionValue(given, name) ?? (given.switches.has(name) ? 'true' : null) ?? defaults[name] ?? null);
    if (value !== null) query.set(name, value);
  }
  const url = query.size === 0 ? path : `${path}?${query}`;
  const way = optionValue(given, 'stack') === null ? askServer : askDeployment;
  const { status, body, who } = await way(given, world, { method, url, json });
  if (status < 400) return body;
  throw refusedTyped(who, status, body);
}

async function askServer(
  given: CliArguments,
  world: CliWorld,
  asked: Pick<ServerRequest, 'method' | 'url' | 'json'>,
): Promise<Answered> {
  refuseStackOptions(given);
  const { response, who } = await requestServer(given, world, asked);
  const body = await response.arrayBuffer().catch(() => {
    throw cliError(`the server at ${who} broke off its answer: is it still running?`, 'broken-off');
  });
  return { status: response.status, body: Buffer.from(body), who };
}
