// The configuration file of a deployment: read and replaced whole. What is replaced is kept in the history, and nobody's edit is
// overwritten: S3 takes the new one only in place of the version that it was made from.

import { storedId, takeOutHashes } from '#pipeline/config/stored-hashes.ts';
import { type DeployedOptions, deployedOptionsSchema } from '#pipeline/contract/deployed-options.ts';
import {
  configHistoryKey,
  configHistoryPrefix,
  configKey,
  deployedOptionsKey,
  historyKeyOf,
  historyVersion,
  lastGoodConfigKey,
  passwordHashKey,
} from '#pipeline/contract/keys.ts';
import { listAll } from '#pipeline/contract/list-all.ts';
import type { ObjectStore, PutOutcome } from '#pipeline/contract/ports.ts';
import { readWhole } from '#pipeline/contract/stored-body.ts';

/** `etag`: changes with every write. `modifiedAt`: ISO 8601. */
export type StoredConfig = { readonly text: string; readonly etag: string; readonly modifiedAt: string };

/** `version`: its name in the history, `current`, or `last-good`. */
export type ConfigVersion = { readonly version: string; readonly modifiedAt: string; readonly bytes: number };

export type ConfigStore = {
  /** The deployment's name. */
  readonly stack: string;
  /** How people name it: `s3://BUCKET/config/pillarbox.json`. */
  readonly where: string;
  /** Null if there is none. `version`: one of the history, or `last-good`; left out, the current one. */
  readonly read: (version?: string) => Promise<StoredConfig | null>;
  /**
   * `conflict`: nothing was written, because `before` (null: no file) is no longer what is there. Hashes of passwords go where the
   * listener alone reads them.
   */
  readonly replace: (text: string, before: StoredConfig | null) => Promise<PutOutcome>;
  /** The current one and the copy of the last good one, then the history, the newest first. */
  readonly versions: () => Promise<readonly ConfigVersion[]>;
  /** Whether a user's `stored:ID` names a hash that this deployment has. */
  readonly hasHash: (reference: string) => Promise<boolean>;
  /** Null if the deployment is of a version that did not write them. */
  readonly options: () => Promise<DeployedOptions | null>;
};

const contentType = 'application/json';

export function createConfigStore(
  store: Pick<ObjectStore, 'get' | 'head' | 'list' | 'put'>,
  { bucket, stack }: { readonly bucket: string; readonly stack: string },
): ConfigStore {
  const read = async (key: string): Promise<StoredConfig | null> => {
    const found = await store.get(key);
    if (found === null) return null;
    const { etag, modifiedAt } = found;
    return { text: (await readWhole(found)).toString('utf8'), etag, modifiedAt };
  };
  const write = (key: string, text: string, condition: { ifAbsent: true } | { ifMatch: string }) =>
    store.put({ key, body: Buffer.from(text), contentType, condition });
  return {
    stack,
    where: `s3://${bucket}/${configKey}`,
    read: (version) => read(version === undefined ? configKey : keyOf(version)),
    replace: async (given, before) => {
      const { text, hashes } = takeOutHashes(given);
      for (const { id, hash } of hashes)
        await store.put({
          key: passwordHashKey(id),
          body: Buffer.from(hash),
          contentType: 'text/plain',
          condition: { ifAbsent: true },
        });
      if (before === null) return write(configKey, text, { ifAbsent: true });
      // Whether or not it is there: it stays for a year from now.
      await store.put({ key: configHistoryKey(before), body: Buffer.from(before.text), contentType });
      return write(configKey, text, { ifMatch: before.etag });
    },
    versions: async () => {
      // The oldest first; S3 keeps what was replaced for a year.
      const kept = await listAll(store.list, configHistoryPrefix);
      const [current, good] = await Promise.all([store.head(configKey), store.head(lastGoodConfigKey)]);
      return [
        ...(current === null ? [] : [{ ...current, version: 'current' }]),
        ...(good === null ? [] : [{ ...good, version: lastGood }]),
        ...kept
          .filter(({ key }) => current === null || key !== configHistoryKey(current))
          .map((object) => ({ ...object, version: historyVersion(object.key) }))
          .reverse(),
      ].map(({ version, modifiedAt, bytes }) => ({ version, modifiedAt, bytes }));
    },
    hasHash: async (reference) => {
      const id = storedId(reference);
      return id !== null && (await store.head(passwordHashKey(id))) !== null;
    },
    options: async () => {
      const stored = await read(deployedOptionsKey);
      if (stored === null) return null;
      try {
        return deployedOptionsSchema.parse(JSON.parse(stored.text));
      } catch (cause) {
        const what = `s3://${bucket}/${deployedOptionsKey} cannot be used`;
        throw new Error(`${what}: deploy again, which writes it anew`, { cause });
      }
    },
  };
}

const lastGood = 'last-good';

function keyOf(version: string): string {
  return version === lastGood ? lastGoodConfigKey : historyKeyOf(version);
}
