// The service of `startMail`, in a file of its own: it brings all of Pillarbox along, which is loaded when a server is started.
import { startEmbedded } from '#local/start-embedded.ts';
import { startLocal } from '#local/start-local.ts';
import { parseChaosWords } from '#pipeline/chaos/fault-words.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { fixedConfigSource } from '#pipeline/config/config-source.ts';
import { createLog } from '#pipeline/observe/log.ts';
import { createMetricsRegistry } from '#pipeline/observe/metrics.ts';

/** `folder` is there, and nobody else's. `write` gets the lines of the log from warnings on. */
export type CaptureOptions = {
  readonly folder: string;
  readonly host: string;
  readonly smtpPort: number;
  readonly httpPort: number;
  /** Faults to make on purpose, in words; null: none. */
  readonly chaos: string | null;
  readonly write: (line: string) => void;
};

/** The ports it has. `close` does not wait for what is under way. */
export type CaptureServer = {
  readonly smtpPort: number;
  readonly httpPort: number;
  readonly close: () => Promise<void>;
};

/** Takes mail for anybody and sends nothing on. Rejects where a port is taken, or where `chaos` is not understood. */
export async function startCaptureServer(options: CaptureOptions): Promise<CaptureServer> {
  const { folder, host, smtpPort, httpPort, write } = options;
  const chaos = options.chaos === null ? null : parseChaosWords(options.chaos);
  if (chaos !== null && chaos !== 'off' && 'problem' in chaos) throw new Error(`chaos: ${chaos.problem}`);
  const config = configSchema.parse({ mode: 'capture', listeners: [{ role: 'mx', host, port: smtpPort }] });
  const { service, close } = await startLocal({
    config: fixedConfigSource(config),
    dataFolder: folder,
    filesFolder: folder,
    environment: {},
    dns: noDns,
    log: createLog({ write, clock: Date.now, least: 'warn' }),
    metrics: createMetricsRegistry(),
    startWorld: startEmbedded,
    listeners: config.listeners,
    anyLogin: true,
    chaos,
    keep: null,
    http: { host, port: httpPort, token: undefined },
  });
  const { ops, listeners } = service;
  return { smtpPort: listeners[0]?.port ?? smtpPort, httpPort: ops.port, close: () => close(0) };
}

/** A test does not depend on the network: no name exists. */
const noDns = {
  resolve: () => Promise.reject(Object.assign(new Error('no DNS in tests'), { code: 'ENOTFOUND' })),
  reverseName: async () => null,
  close: () => {},
};
