// Tells a hook that is a program of this machine: a command, or a module that is called as Lambda would call it.
import type { Hook } from '#pipeline/config/hook.ts';
import { secretReference } from '#pipeline/config/secret-reference.ts';
import type { NotifyJob } from '#pipeline/contract/jobs.ts';
import { mailEventOf } from '#pipeline/contract/mail-event.ts';
import type { Clock, Secrets } from '#pipeline/contract/ports.ts';
import { parseInboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import type { Judged } from './judge-answer.ts';
import { judgeCommand, judgeModule, type Programs } from './judge-program.ts';
import { lambdaEvent } from './lambda-event.ts';
import { webhookBody } from './webhook-message.ts';

const notHere = 'a command or a module is run on one machine only, over its own store';

/** `programs` null: none is run here. `json`: the inbox message as it is stored. Rejects if a variable's secret cannot be read. */
export async function callProgram(
  {
    programs,
    secrets,
    clock,
  }: { readonly programs: Programs | null; readonly secrets: Secrets; readonly clock: Clock },
  job: NotifyJob,
  { hook, json }: { readonly hook: Hook; readonly json: Uint8Array },
): Promise<Judged> {
  const { name, command = [], module, timeoutSeconds } = hook;
  if (programs === null) return judgeCommand({ kind: 'failed', reason: notHere });
  const variables = await variablesOf(hook, secrets);
  const call = { hook: name, timeoutMs: timeoutSeconds * 1_000, variables };
  if (module === undefined) {
    const input = await webhookBody(job, json, null);
    return judgeCommand(await programs.runCommand({ ...call, argv: command, input }));
  }
  const message = parseInboxMessage(Buffer.from(json).toString('utf8'));
  if (message === null) throw new Error(`${job.key} is no inbox message`);
  const event = lambdaEvent(job, mailEventOf(message, job.key), clock());
  return judgeModule(await programs.callModule({ ...call, module, input: Buffer.from(JSON.stringify(event)) }));
}

/** References to secrets are replaced by what they stand for. */
async function variablesOf({ environment }: Hook, secrets: Secrets): Promise<Readonly<Record<string, string>>> {
  const read = async ([name, value]: [string, string]): Promise<[string, string]> => [
    name,
    secretReference.safeParse(value).success ? await secrets.read(value) : value,
  ];
  return Object.fromEntries(await Promise.all(Object.entries(environment).map(read)));
}
