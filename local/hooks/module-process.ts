// The process of one call of a module, beside the service: reads the event from standard input, calls `handler(event, context)` as Lambda
// would, and writes what came of it to file descriptor 3. Arguments: the file of the module, the ARN that it has as a
// function, and how many milliseconds it has.
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { extname } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

const [, , file = '', functionArn = '', timeoutMs = '0'] = process.argv;
const memoryMiB = 512;
const endsAt = Date.now() + Number(timeoutMs);

const workerData = { mostBytes: memoryMiB * 1_048_576, parent: process.ppid };
new Worker(new URL(`./memory-worker${extname(import.meta.url)}`, import.meta.url), { workerData }).unref();
lendSdk();
const event: unknown = JSON.parse(await text(process.stdin));
writeSync(3, await call());
process.exit(0); // what the handler left open ends with it

async function call(): Promise<string> {
  try {
    const handler = handlerOf(await import(pathToFileURL(file).href));
    return JSON.stringify({ kind: 'answered', answer: await handler(event, context()) });
  } catch (thrown) {
    const error = thrown instanceof Error ? ownFrames(thrown.stack ?? thrown.message) : String(thrown);
    return JSON.stringify({ kind: 'threw', error });
  }
}

/** Lambda has the AWS SDK. A module that has none here gets what the package brings along of it: as much as `readMail` needs. */
function lendSdk(): void {
  const sdk = '@aws-sdk/client-s3';
  registerHooks({
    resolve: (specifier, asked, next) => {
      try {
        return next(specifier, asked);
      } catch (error) {
        if (specifier !== sdk) throw error;
        return next(`#bundled/${sdk}.js`, { ...asked, parentURL: import.meta.url });
      }
    },
  });
}

/** A stack without what is above the module. */
function ownFrames(stack: string): string {
  const isAbove = (line: string): boolean => line.includes(import.meta.url) || line.includes('(node:internal/');
  return stack
    .split('\n')
    .filter((line) => !isAbove(line))
    .join('\n');
}

type Handler = (event: unknown, context: object) => unknown;

/** The export `handler` of an ES module or of a CommonJS one. */
function handlerOf(module: unknown): Handler {
  for (const place of [module, propertyOf(module, 'default')]) {
    const found = propertyOf(place, 'handler');
    if (typeof found === 'function') return (...args) => found(...args);
  }
  throw new Error(`${file} exports no function handler`);
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function context(): object {
  const name = functionArn.slice(functionArn.lastIndexOf(':') + 1);
  return {
    functionName: name,
    functionVersion: '$LATEST',
    invokedFunctionArn: functionArn,
    memoryLimitInMB: String(memoryMiB),
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${name}`,
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, endsAt - Date.now()),
  };
}
