// The configuration of `npm start` without a file: a safe capture server. It accepts every recipient, relays nothing,
// and can be reached from this machine alone.
import { type Config, configSchema } from '#pipeline/config/config.ts';

/** Everything as the schema's defaults have it, `mode` capture. */
export function captureConfig(): Config {
  return configSchema.parse({ mode: 'capture' });
}
