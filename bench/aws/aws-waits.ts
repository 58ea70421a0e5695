// What a function waits for on AWS and not on this machine: a proxy in front of the emulator that holds each request for as long as
// S3 or SQS would take, and the DNS answers that come late. Every hold is noted, so that what Lambda bills for waiting is counted.
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/** From when to when, in milliseconds of `performance.now()`. */
export type Span = { readonly from: number; readonly to: number };

/**
 * Milliseconds of which each is drawn equally often, assumed: in a region to small objects and messages, and what a resolver that knows
 * some of the names takes for one question.
 */
const times = {
  GET: [14, 17, 19, 22, 25, 28, 32, 38, 50, 110],
  PUT: [25, 29, 33, 36, 40, 44, 50, 58, 75, 150],
  POST: [6, 7, 8, 9, 10, 12, 14, 17, 22, 45],
  DNS: [1, 1, 1, 2, 2, 5, 9, 13, 18, 22, 27, 33, 40, 50, 62, 80, 105, 150, 230, 450],
} as const;

export type Waits = {
  /** Holds for one request of this kind, and notes it. */
  readonly hold: (kind: keyof typeof times) => Promise<void>;
  readonly spans: readonly Span[];
  readonly clear: () => void;
};

/** Draws in an order that is the same each time. */
export function createWaits(): Waits {
  const spans: Span[] = [];
  let drawn = 0;
  return {
    spans,
    clear: () => void spans.splice(0),
    hold: async (kind) => {
      const from = performance.now();
      drawn = (drawn * 1_103_515_245 + 12_345) % 2 ** 31;
      await pause(times[kind][Math.floor((drawn / 2 ** 31) * times[kind].length)] ?? 0);
      spans.push({ from, to: performance.now() });
    },
  };
}

/** A way to the emulator that takes as long as the way to S3 and SQS. */
export async function startSlowWay(
  endpoint: () => string,
  { hold }: Waits,
): Promise<{ readonly endpoint: string; readonly close: () => void }> {
  const server = createServer((asked, answered) => {
    const kind = asked.method === 'PUT' || asked.method === 'POST' ? asked.method : 'GET';
    hold(kind).then(
      () => passOn(asked, answered, endpoint()),
      () => answered.destroy(),
    );
  });
  const port = await listen(server);
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { endpoint: `http://127.0.0.1:${port}`, close };
}

function passOn(asked: IncomingMessage, answered: ServerResponse, endpoint: string): void {
  const { method, headers } = asked;
  const onward = request(new URL(asked.url ?? '/', endpoint), { method, headers, agent: false }, (answer) => {
    answered.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(answered);
  });
  onward.on('error', () => answered.destroy());
  asked.pipe(onward);
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

/**
 * The seconds in which invocations did nothing but wait: at each moment as many as were running, and no more than requests were held.
 * What waits twice within one invocation counts once; where two invocations overlap this is what it is at most.
 */
export function secondsWaited(invocations: readonly Span[], holds: readonly Span[]): number {
  const steps = [...stepsOf(invocations, 'running'), ...stepsOf(holds, 'held')].sort((one, other) => one.at - other.at);
  let [waited, last] = [0, 0];
  const count = { running: 0, held: 0 };
  for (const { at, of, by } of steps) {
    waited += (at - last) * Math.min(count.running, count.held);
    last = at;
    count[of] += by;
  }
  return waited / 1_000;
}

function stepsOf(spans: readonly Span[], of: 'running' | 'held') {
  return spans.flatMap(({ from, to }) => [
    { at: from, of, by: 1 },
    { at: to, of, by: -1 },
  ]);
}
