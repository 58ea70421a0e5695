// Whether a report may be sent to the sender of a message: only if it is proven that the reverse-path is theirs. Anybody can
// put another's address behind MAIL FROM, and a report would go to somebody who sent nothing (backscatter).
import { parseAddress } from '#mail/address/address.ts';
import { isLoggedIn } from '#mail/envelope/envelope.ts';
import { isProblem } from '#mail/problem.ts';
import type { Authentication, ReceivedJob, SenderProof } from './jobs.ts';

/** A job of any queue. The verdict is in `authentication` (parse) or `sender` (deliver). */
export type ReportedJob = {
  readonly envelope: Pick<ReceivedJob['envelope'], 'session' | 'reversePath'>;
  readonly authentication?: Authentication | undefined;
  readonly sender?: SenderProof | undefined;
};

/**
 * Why no report (of success, failure, delay, or of a dead letter) may be sent to the sender of a job, as a sentence; null if
 * it may. A sender that was never judged is not proven.
 */
export function whyNotTold(job: ReportedJob): string | null {
  if (job.envelope.reversePath === '') return 'the reverse-path is null: nobody is to be told'; // RFC 5321 §4.5.5
  const proof = job.sender ?? proveSender(job);
  return proof.proven ? null : `the sender is not proven: ${proof.reason}; no report was sent`;
}

/**
 * What proves the reverse-path. `login`: the user may send as that address. `internal`: we wrote it. From outside: SPF of
 * MAIL FROM (never of HELO), DMARC if the author's domain is the same, or a DKIM signature of the domain itself or a parent
 * domain. If SPF fails, a signature proves nothing: anybody can send a signed message again, with any address of that domain
 * behind MAIL FROM.
 */
export function proveSender({ envelope, authentication }: Omit<ReportedJob, 'sender'>): SenderProof {
  const { session, reversePath } = envelope;
  if (isLoggedIn(session)) return { proven: true, by: 'login' };
  if (session.role === 'internal') return { proven: true, by: 'internal' };
  const address = parseAddress(reversePath);
  if (isProblem(address)) return { proven: false, reason: 'the reverse-path is no address' };
  const { domain } = address;
  if (authentication === undefined) return { proven: false, reason: `whether ${domain} sent it was not judged` };
  const { spf, dkim, dmarc } = authentication;
  if (spf.result === 'pass' && isSame(spf.domain, domain)) return { proven: true, by: 'spf' };
  if (isDisowned(spf, domain)) {
    const reason = `SPF of ${domain} is ${spf.result}: a signed message may be sent by anybody again`;
    return { proven: false, reason };
  }
  if (dmarc.result === 'pass' && isSame(dmarc.domain, domain)) return { proven: true, by: 'dmarc' };
  const isSigned = dkim.some((signature) => signature.result === 'pass' && isSameOrParent(signature.domain, domain));
  if (isSigned) return { proven: true, by: 'dkim' };
  return { proven: false, reason: `SPF of ${domain} is ${spf.result}, and no DKIM signature vouches for it` };
}

/** SPF says that the client does not send for the domain. */
function isDisowned(spf: Authentication['spf'], domain: string): boolean {
  return isSame(spf.domain, domain) && (spf.result === 'fail' || spf.result === 'softfail');
}

function isSame(named: string | null, domain: string): boolean {
  return named?.toLowerCase() === domain;
}

/** A parent signs for its subdomains, not the other way round: under some domains anybody gets a name. */
function isSameOrParent(signer: string | null, domain: string): boolean {
  if (signer === null) return false;
  const name = signer.toLowerCase();
  return name === domain || (name.includes('.') && domain.endsWith(`.${name}`));
}
