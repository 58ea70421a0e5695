// The hashes of users whose configuration only says where they are kept. One that cannot be read is a fault of ours: nobody's
// password is called wrong for it, and log and health say whose it is.
import { errorMessage } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { isPasswordHash } from '#pipeline/config/password.ts';
import type { Log, Metrics, Secrets } from '#pipeline/contract/ports.ts';
import { errorFields } from '#pipeline/observe/log.ts';

type Users = Config['users'];

export type LoginSecrets = {
  /** The users, with the hash of this one read if it is kept elsewhere; null if it cannot be read. */
  readonly withHash: (users: Users, name: string) => Promise<Users | null>;
  /** Whose hash could not be read when it was last needed, as sentences; it is tried again meanwhile. */
  readonly problems: (users: Users) => readonly string[];
};

/** Logs each once, until it can be read again. */
export function createLoginSecrets({
  secrets,
  log,
  metrics,
}: {
  readonly secrets: Secrets;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'count'>;
}): LoginSecrets {
  const broken = new Map<string, { readonly reference: string; readonly reason: string }>();
  const readHash = async ({ name, password: reference }: Users[number]): Promise<string | null> => {
    try {
      const hash = await secrets.read(reference);
      if (!isPasswordHash(hash)) throw new Error(`secret ${JSON.stringify(reference)} holds no password hash`);
      broken.delete(name);
      return hash;
    } catch (thrown) {
      const reason = errorMessage(thrown);
      if (broken.get(name)?.reason !== reason)
        log.error('user-secret-not-usable', { user: name, ...errorFields(thrown) });
      metrics.count('own-faults', { kind: 'secret' });
      broken.set(name, { reference, reason });
      return null;
    }
  };
  return {
    withHash: async (users, name) => {
      const user = users.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
      if (user === undefined || user.password.startsWith('scrypt:')) return users;
      const password = await readHash(user);
      return password === null ? null : users.map((one) => (one === user ? { ...user, password } : one));
    },
    problems: (users) => {
      const still = users.filter(({ name, password }) => broken.get(name)?.reference === password);
      for (const name of broken.keys()) if (!still.some((user) => user.name === name)) broken.delete(name);
      for (const user of still) void readHash(user);
      return still.map(({ name }) => `${name} cannot log in until this is mended: ${broken.get(name)?.reason ?? ''}`);
    },
  };
}
