// What the log of a deployment says of one message. It never fails: what keeps the log from being read is a sentence, and the rest of
// the story is told without it.
import { setTimeout as passing } from 'node:timers/promises';
import { type MessageId, messageIdTime } from '#mail/header/message-id.ts';
import { errorMessage } from '#mail/problem.ts';
import type { FindLogLines } from '#ops/deps.ts';
import type { LogResults, LogSearch } from '#pipeline/aws/operator/log-search.ts';
import { messageQuery, messageQueryName } from '#pipeline/contract/message-query.ts';
import type { Clock } from '#pipeline/contract/ports.ts';

const maxLines = 500;
/** Clocks differ a little. */
const beforeMs = 60_000;
/** So long may a job of it lie in a queue. */
const afterMs = 14 * 86_400_000;
const pausesMs = [250, 250, 500, 1_000];
const patienceMs = 20_000;

export type LogFinderDeps = {
  readonly search: LogSearch;
  readonly serviceName: string;
  readonly clock: Clock;
  /** For so many milliseconds. */
  readonly pause?: (ms: number) => Promise<unknown>;
};

export function createLogFinder(deps: LogFinderDeps): FindLogLines {
  return async (id) => {
    try {
      return await findLines(deps, id);
    } catch (thrown) {
      return { lines: [], note: `the log could not be asked: ${reasonOf(thrown)}` };
    }
  };
}

async function findLines(deps: LogFinderDeps, id: MessageId): ReturnType<FindLogLines> {
  const { search, serviceName, clock } = deps;
  const savedQuery = messageQueryName(serviceName);
  const groups = await search.groupsOf(savedQuery);
  if (groups === null) {
    return {
      lines: [],
      note: `the log was not asked: there is no saved query ${savedQuery}, which ${serviceName}-service makes`,
    };
  }
  const receivedMs = messageIdTime(id);
  const [fromMs, toMs] = [receivedMs - beforeMs, Math.min(clock(), receivedMs + afterMs)];
  const searchId = await search.start({ groups, query: messageQuery(id, maxLines), fromMs, toMs });
  const { isRunning, status, rows } = await finished(deps, searchId);
  return { lines: rows, note: noteOf({ isRunning, status, count: rows.length }) };
}

/** Asks until it is done, or until patience is over. */
async function finished({ search, clock, pause = passing }: LogFinderDeps, searchId: string): Promise<LogResults> {
  const end = clock() + patienceMs;
  for (let asked = 0; ; asked += 1) {
    await pause(pausesMs[asked] ?? 1_000);
    const results = await search.results(searchId);
    if (!results.isRunning || clock() >= end) return results;
  }
}

function noteOf({ isRunning, status, count }: { isRunning: boolean; status: string; count: number }): string | null {
  if (isRunning) return `the log is still being searched after ${patienceMs / 1_000} s: its lines so far are shown`;
  if (status !== 'Complete') return `the search of the log ended as ${status}: its lines up to then are shown`;
  return count < maxLines ? null : `the log has more than ${maxLines} lines of it: the first are shown`;
}

/** The words of AWS, and what to do. */
function reasonOf(thrown: unknown): string {
  const message = errorMessage(thrown);
  const name = thrown instanceof Error ? thrown.name : '';
  if (/AccessDenied/.test(name)) return `AWS does not allow it: ${message}`;
  if (name === 'LimitExceededException')
    return `too many queries run in this account: try again in a minute (${message})`;
  if (/Throttling/.test(name)) return `AWS asks for patience (${message}): try again in a minute`;
  if (name === 'MalformedQueryException' && /retention/.test(message))
    return 'it does not go back as far as this message (logDays)';
  if (name === 'ResourceNotFoundException')
    return `a log group of the saved query is gone (${message}): deploy the service stack again`;
  return `${message}${name === '' || name === 'Error' ? '' : ` (${name})`}`;
}
