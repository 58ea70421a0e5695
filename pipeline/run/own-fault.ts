// Own faults: a secret that cannot be read, a broken configuration, a full disk, S3 or SQS that refuse, a resolver of ours
// that does not answer. No message is given up because of them: its job waits, and the log says for what. A bug is no own
// fault: any other error counts, and a job that fails too often becomes a dead letter.
import { isDamagedBody } from '#pipeline/contract/stored-body.ts';

/** A metric's label. `relay`: it does not send for us, since it does not know our log-in or what we send as. */
export type FaultKind = 'secret' | 'config' | 'store' | 'queue' | 'dns' | 'system' | 'aws' | 'relay';

/** The message says what to mend. `retryAt`: when the stage will try again (milliseconds since 1970), or null. */
export type OwnFault = Error & { readonly fault: FaultKind; readonly retryAt: number | null };

const ownFaultName = 'OwnFault';
const lostName = 'MessageLost';
const triedName = 'TriedLongEnough';
const maxDepth = 5;

export function ownFault(
  fault: FaultKind,
  message: string,
  { cause, retryAt = null }: { readonly cause?: unknown; readonly retryAt?: number | null } = {},
): OwnFault {
  return Object.assign(new Error(message, { cause }), { name: ownFaultName, fault, retryAt });
}

/** The own fault behind what was thrown; null if it is none (a bug, or a lost message). */
export function faultOf(thrown: unknown): OwnFault | null {
  let error = thrown;
  for (let depth = 0; depth < maxDepth && error instanceof Error; depth++) {
    if (isOwnFault(error)) return error;
    const kind = kindOf(error);
    if (kind !== null) return ownFault(kind, error.message, { cause: thrown });
    error = error.cause;
  }
  return null;
}

/** Thrown if the stored message of a job does not exist: waiting does not help. */
export function messageLost(key: string): Error {
  return Object.assign(new Error(`the stored message is missing: ${key} is not there`), { name: lostName });
}

/** Thrown if a job was tried as long as it may be: the reason of its dead letter. */
export function triedLongEnough(reason: string): Error {
  return Object.assign(new Error(reason), { name: triedName });
}

/** Why a job can never be done, as a sentence; null if another try may help. */
export function whyHopeless(thrown: unknown): string | null {
  if (!(thrown instanceof Error)) return null;
  const isHopeless =
    [lostName, triedName].includes(thrown.name) || (isDamagedBody(thrown) && thrown.damage !== 'unreadable');
  return isHopeless ? thrown.message : null;
}

function isOwnFault(error: Error): error is OwnFault {
  return error.name === ownFaultName && 'fault' in error && 'retryAt' in error;
}

function kindOf(error: Error): FaultKind | null {
  if (isDamagedBody(error)) return error.damage === 'unreadable' ? 'store' : null;
  if (storeWords.test(error.message)) return 'store';
  // The SDK's errors: S3, SQS or Secrets Manager are down, slow, or forbid it.
  if ('$metadata' in error || '$fault' in error) return 'aws';
  return 'code' in error && systemCodes.has(String(error.code)) ? 'system' : null;
}

/** SQLite's messages if the disk, not the statement, is at fault. */
const storeWords =
  /^(database or disk is full|disk I\/O error|unable to open database file|attempt to write a readonly database|database disk image is malformed|database is locked|cannot rollback - no transaction)/;

/** Faults of disk, descriptors, memory, rights, and the way to S3 and SQS. */
const systemCodes: ReadonlySet<string> = new Set([
  ...['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EACCES', 'EPERM', 'ENODEV', 'ENXIO', 'ESTALE'],
  ...['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN', 'EADDRNOTAVAIL', 'ENETDOWN', 'ENETUNREACH', 'EHOSTUNREACH'],
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENOTFOUND'],
]);
