// The calls that one inbound message costs on AWS (count-calls.ts). `--write` keeps what was counted in measured-calls.json, from which
// `npm run cost` computes the bill.
import { writeFileSync } from 'node:fs';
import { shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { windowSeconds } from '#pipeline/contract/stages.ts';
import { type Counted, countCalls, perSecond } from './count-calls.ts';

const messages = 500;

/** Rows: PUTs, GETs and sends for a message, what the functions are billed for, and how long mail takes to the inbox. */
export async function measureCalls(write: boolean): Promise<readonly Row[]> {
  const counted = await countCalls(messages, (lane) => windowSeconds(lane));
  const each = eachOf(counted);
  if (write) keep(counted);
  const beside = `${messages} messages of 50 KiB, ${perSecond}/s`;
  const { authenticate, parse } = counted.stages;
  return [
    { what: 'S3 PUT per message', value: shown(each.puts), beside, ratio: each.puts, target: { atMost: 2 } },
    { what: 'S3 GET per message', value: shown(each.gets), beside, ratio: each.gets, target: { atMost: 2.1 } },
    {
      what: 'SQS sends per message, both hops',
      value: shown(each.sends),
      beside: `receives ${shown(each.receives)}, deletes ${shown(each.deletes)}`,
      ratio: each.sends / 2,
      target: { atMost: 1 },
    },
    {
      what: 'Lambda per message',
      value: `${shown(gibSecondsOf(counted) / messages)} GiB-s`,
      beside: `computing ${shown(counted.gibSecondsComputed / messages)} (${shown((counted.cpuSeconds / messages) * 1_000)} ms), waiting: authenticate ${shown(authenticate.gibSecondsWaited / messages)}, parse ${shown(parse.gibSecondsWaited / messages)}`,
      ratio: null,
      target: null,
    },
    {
      what: 'messages an invocation',
      value: `${shown(messages / authenticate.invocations)} authenticate, ${shown(messages / parse.invocations)} parse`,
      beside: `waiting ${shown(authenticate.secondsWaited / authenticate.invocations)} s and ${shown(parse.secondsWaited / parse.invocations)} s each`,
      ratio: null,
      target: null,
    },
    {
      what: 'from 250 to the inbox',
      value: `${quantile(counted, 0.5)} s, p99 ${quantile(counted, 0.99)} s`,
      beside: '',
      ratio: null,
      target: null,
    },
    {
      what: 'log, bytes a message',
      value: String(logBytesOf(counted)),
      beside: Object.entries(counted.logBytes)
        .map(([event, bytes]) => `${event} ${Math.ceil(bytes / messages)}`)
        .join(', '),
      ratio: null,
      target: null,
    },
  ];
}

function eachOf({ calls }: Counted) {
  const sum = (...names: readonly string[]) => names.reduce((so, name) => so + (calls[name] ?? 0), 0) / messages;
  return {
    puts: sum('PUT'),
    gets: sum('GET', 'HEAD'),
    sends: sum('SendMessage', 'SendMessageBatch'),
    receives: sum('ReceiveMessage'),
    deletes: sum('DeleteMessage', 'DeleteMessageBatch', 'ChangeMessageVisibilityBatch'),
  };
}

function gibSecondsOf({ stages, gibSecondsComputed }: Counted): number {
  return Object.values(stages).reduce((sum, { gibSecondsWaited }) => sum + gibSecondsWaited, gibSecondsComputed);
}

function logBytesOf({ logBytes }: Counted): number {
  return Math.ceil(Object.values(logBytes).reduce((sum, bytes) => sum + bytes, 0) / messages);
}

function quantile({ secondsToInbox }: Counted, part: number): string {
  return shown(secondsToInbox[Math.floor(secondsToInbox.length * part)] ?? Number.NaN);
}

function keep(counted: Counted): void {
  const { puts, gets, sends, receives, deletes } = eachOf(counted);
  const { authenticate, parse } = counted.stages;
  const kept = {
    measuredOn: new Date().toISOString().slice(0, 10),
    command: 'npm run bench -- --only calls --write',
    mailsPerSecond: perSecond,
    puts: rounded(puts),
    gets: rounded(gets),
    sqsRequests: rounded(sends + receives + deletes),
    lambdaRequests: rounded((authenticate.invocations + parse.invocations) / messages),
    lambdaGiBSeconds: rounded(gibSecondsOf(counted) / messages),
    logBytes: logBytesOf(counted),
    extraBytes: Math.ceil(counted.inboxBytes / messages),
    secondsToInbox: { p50: Number(quantile(counted, 0.5)), p99: Number(quantile(counted, 0.99)) },
  };
  writeFileSync(new URL('../cost/measured-calls.json', import.meta.url), `${JSON.stringify(kept, null, 2)}\n`);
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
