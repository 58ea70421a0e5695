// The environment variables that the AWS composition roots read, parsed once at start. An error names every variable
// that is missing or wrong and what was expected. `process.env` is passed in.
import { z } from 'zod';
import { listenerSchema } from '#pipeline/config/config.ts';
import { deployedOptionsSchema } from '#pipeline/contract/deployed-options.ts';
import { type QueueName, queueNames, queueUrlVariable } from '#pipeline/contract/stages.ts';

const url = z.url({ protocol: /^https?$/, error: 'expected an http(s) URL' });
const port = z.coerce.number().int().min(0).max(65_535);

/** `ROLE:PORT`, with commas between. */
const listeners = z.preprocess((text) => {
  const ports = String(text).split(',');
  return ports.map((one) => ({ role: one.split(':')[0], host: '0.0.0.0', port: Number(one.split(':')[1]) }));
}, z.array(listenerSchema));

const queueUrlsSchema = z.object(
  Object.fromEntries(queueNames.map((queue) => [queueUrlVariable(queue), url.optional()])),
);

const environmentSchema = z.object({
  /** The bucket of everything. */
  PILLARBOX_BUCKET: z.string().min(3),
  /** Goes before NAME of `secret:NAME` in Secrets Manager (`pillarbox/`). */
  PILLARBOX_SECRETS_PREFIX: z.string().default(''),
  /** Read `secret:NAME` from files in this folder instead of Secrets Manager (emulator world). */
  PILLARBOX_SECRETS_DIRECTORY: z.string().min(1).optional(),
  /** What a relative path of `file:PATH` starts from. */
  PILLARBOX_FILES_DIRECTORY: z.string().min(1).default('.'),
  /** How old the configuration in force may be (30). */
  PILLARBOX_CONFIG_REFRESH_SECONDS: z.coerce.number().positive().optional(),
  /** Another S3 and SQS than AWS's (emulator world). */
  PILLARBOX_ENDPOINT: url.optional(),
  PILLARBOX_METRICS_NAMESPACE: z.string().min(1).default('Pillarbox'),
  /** The container's SMTP ports (`mx:2525,submission:5870`): the load balancer leads there, whatever `listeners` of the configuration says. */
  PILLARBOX_LISTENERS: listeners.optional(),
  /** Where the container answers `/health`. */
  PILLARBOX_HEALTH_PORT: port.default(8080),
  /** `v2` where the load balancer speaks the PROXY protocol. */
  PILLARBOX_PROXY_PROTOCOL: z.literal('v2', { error: 'expected "v2", or not to be set' }).optional(),
  /** What the container may take of memory before it is killed, in MiB. */
  PILLARBOX_MEMORY_MIB: z.coerce.number().int().positive().optional(),
  /** What the deployment was made with, as JSON: the configuration is held against it. */
  PILLARBOX_OPTIONS: z.preprocess(parsedJson, deployedOptionsSchema).optional(),
  PILLARBOX_HEALTH_HOST: z.string().min(1).default('0.0.0.0'),
  /** The event bus that is told of stored mail; not set: none is. */
  PILLARBOX_EVENT_BUS: z.string().min(1).optional(),
  AWS_REGION: z.string().min(1),
});

/** The variables by what they are for; null if one is not set. */
export type Environment = Readonly<ReturnType<typeof environmentOf>>;

/** `queues`: those whose URL must be there. Throws an Error that lists every variable in error. */
export function parseEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
  { queues }: { readonly queues: readonly QueueName[] },
): Environment {
  const parsed = environmentSchema.safeParse(variables);
  const urls = queueUrlsSchema.safeParse(variables);
  const missing = queues.map(queueUrlVariable).filter((name) => variables[name] === undefined);
  const wrong = [...(parsed.error?.issues ?? []), ...(urls.error?.issues ?? [])].map(({ path, message }) => {
    const name = String(path[0]);
    return `${name}: ${variables[name] === undefined ? 'is not set' : message}`;
  });
  const faults = [...wrong, ...missing.map((name) => `${name}: is not set`)];
  if (!parsed.success || !urls.success || faults.length > 0) {
    throw new Error(`wrong environment:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  }
  return environmentOf(parsed.data, urls.data);
}

function environmentOf(data: z.infer<typeof environmentSchema>, urlsByVariable: z.infer<typeof queueUrlsSchema>) {
  const urls = queueNames.flatMap((queue) => {
    const found = urlsByVariable[queueUrlVariable(queue)];
    return found === undefined ? [] : [[queue, found]];
  });
  const queueUrls: Readonly<Partial<Record<QueueName, string>>> = Object.fromEntries(urls);
  return {
    bucket: data.PILLARBOX_BUCKET,
    queueUrls,
    secretsPrefix: data.PILLARBOX_SECRETS_PREFIX,
    secretsDirectory: data.PILLARBOX_SECRETS_DIRECTORY ?? null,
    filesDirectory: data.PILLARBOX_FILES_DIRECTORY,
    configRefreshSeconds: data.PILLARBOX_CONFIG_REFRESH_SECONDS ?? null,
    proxyProtocol: data.PILLARBOX_PROXY_PROTOCOL ?? null,
    memoryMiB: data.PILLARBOX_MEMORY_MIB ?? null,
    listeners: data.PILLARBOX_LISTENERS ?? null,
    options: data.PILLARBOX_OPTIONS ?? null,
    endpoint: data.PILLARBOX_ENDPOINT ?? null,
    eventBus: data.PILLARBOX_EVENT_BUS ?? null,
    metricsNamespace: data.PILLARBOX_METRICS_NAMESPACE,
    health: { host: data.PILLARBOX_HEALTH_HOST, port: data.PILLARBOX_HEALTH_PORT },
    region: data.AWS_REGION,
  };
}

/** What is no JSON stays a text, which no schema of an object takes. */
function parsedJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return text;
  }
}
