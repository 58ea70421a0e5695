// Own faults: a secret that cannot be read, a broken configuration, a full disk, S3 or SQS that refuse, a resolver of ours that does not
// answer. They say nothing about a message, so no message is given up for them: its job waits, and the log says for what.
// A bug is none of them: an error that is not known here counts, and a job that fails too often becomes a dead letter.
import { isDamagedBody } from '#pipeline/contract/stored-body.ts';

/** What is at fault. Few words: they are a metric's label. */
export type FaultKind = 'secret' | 'config' | 'store' | 'queue' | 'dns' | 'system' | 'aws';

/** Thrown if we are at fault; the message says what to mend. `retryAt`: when the stage has said it will try again, or null. */
export type OwnFault = Error & { readonly fault: FaultKind; readonly retryAt: number | null };

const ownFaultName = 'OwnFault';
const lostName = 'MessageLost';
const maxDepth = 5;

/** Makes one. `message` is a sentence for the operator; `retryAt` in milliseconds since 1970. */
export function ownFault(
  fault: FaultKind,
  message: string,
  { cause, retryAt = null }: { readonly cause?: unknown; readonly retryAt?: number | null } = {},
): OwnFault {
  return Object.assign(new Error(message, { cause }), { name: ownFaultName, fault, retryAt });
}

/** The own fault behind what was thrown; null if it is none (a bug, or a message that is lost). */
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

/** Thrown if the stored message of a job is not there: waiting does not bring it back. */
export function messageLost(key: string): Error {
  return Object.assign(new Error(`the stored message is missing: ${key} is not there`), { name: lostName });
}

/** Why a job can never be done, as a sentence; null if another try may help. */
export function whyHopeless(thrown: unknown): string | null {
  if (!(thrown instanceof Error)) return null;
  const isLost = thrown.name === lostName || (isDamagedBody(thrown) && thrown.damage !== 'unreadable');
  return isLost ? thrown.message : null;
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

/** How SQLite says that the disk, not the statement, is at fault. */
const storeWords =
  /^(database or disk is full|disk I\/O error|unable to open database file|attempt to write a readonly database|database disk image is malformed|database is locked|cannot rollback - no transaction)/;

/** What the system says when it, not the message, is at fault: disk, descriptors, memory, rights, the way to S3 and SQS. */
const systemCodes: ReadonlySet<string> = new Set([
  ...['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EACCES', 'EPERM', 'ENODEV', 'ENXIO', 'ESTALE'],
  ...['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN', 'EADDRNOTAVAIL', 'ENETDOWN', 'ENETUNREACH', 'EHOSTUNREACH'],
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENOTFOUND'],
]);
