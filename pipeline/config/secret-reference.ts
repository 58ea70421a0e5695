// The one form in which a configuration names a secret.
import { z } from 'zod';

export const secretReference = z
  .string()
  .regex(/^(secret|file|env):.+$/, 'a reference: "secret:NAME", "file:PATH" or "env:NAME"')
  .describe('A reference to a secret: `secret:NAME`, `file:PATH` or `env:NAME`.');
