// A configuration that a test writes down, defaults filled in; it may be exchanged on the way.

import type { ConfigSource } from '#pipeline/config/config.ts';
import { type Config, type ConfigInput, configSchema } from '#pipeline/config/config.ts';

/** The configuration source; `change` puts another configuration in force. Throws where the input is wrong. */
export function fixedConfig(
  input: ConfigInput = {},
): ConfigSource & { readonly config: Config; readonly change: (next: ConfigInput) => void } {
  let config: Config = configSchema.parse(input);
  return {
    get config() {
      return config;
    },
    current: async () => config,
    change: (next) => {
      config = configSchema.parse(next);
    },
  };
}
