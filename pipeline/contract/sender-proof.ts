// Whether a report may be written to the sender of a message: only if it is proven that the reverse-path is theirs. Anybody
// can write anybody's address behind MAIL FROM, and a report to that one hits somebody who wrote nothing (backscatter).
import { parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { Authentication, ReceivedJob, SenderProof } from './jobs.ts';

/** A job of any queue. What a stage before found out is in `authentication` (parse) or `sender` (deliver). */
export type ReportedJob = {
  readonly envelope: Pick<ReceivedJob['envelope'], 'session' | 'reversePath'>;
  readonly authentication?: Authentication | undefined;
  readonly sender?: SenderProof | undefined;
};

/**
 * Why no report (of success, failure, delay, or of a dead letter) may be written to the sender of a job, as a sentence; null
 * if it may be. A job whose sender was never judged is that of a stranger who is not proven.
 */
export function whyNotTold(job: ReportedJob): string | null {
  if (job.envelope.reversePath === '') return 'the reverse-path is null: nobody is to be told'; // RFC 5321 §4.5.5
  const proof = job.sender ?? proveSender(job);
  return proof.proven ? null : `the sender is not proven: ${proof.reason}; no report was sent`;
}

/**
 * Who vouches for the reverse-path. `login`: who submitted the message may write as that address. `internal`: we wrote it.
 * A stranger's domain vouches by SPF of MAIL FROM (never of HELO), by DMARC if it is the author's domain too, or by a
 * DKIM signature of itself or a parent domain. A DMARC pass of another domain proves nothing about this one. If SPF says that
 * the client is none of the domain's, a signature proves nothing: anybody can send a signed message once more, with any
 * address of that domain behind MAIL FROM.
 */
export function proveSender({ envelope, authentication }: Omit<ReportedJob, 'sender'>): SenderProof {
  const { session, reversePath } = envelope;
  // On port 25 only a capture server is told a name, and believes any.
  if (session.user !== null && session.role !== 'mx') return { proven: true, by: 'login' };
  if (session.role === 'internal') return { proven: true, by: 'internal' };
  const address = parseAddress(reversePath);
  if (isProblem(address)) return { proven: false, reason: 'the reverse-path is no address' };
  const { domain } = address;
  if (authentication === undefined) return { proven: false, reason: `whether ${domain} sent it was not judged` };
  const { spf, dkim, dmarc } = authentication;
  if (spf.result === 'pass' && isSame(spf.domain, domain)) return { proven: true, by: 'spf' };
  if (isDisowned(spf, domain)) {
    return {
      proven: false,
      reason: `SPF of ${domain} is ${spf.result}: a signed message may be sent by anybody again`,
    };
  }
  if (dmarc.result === 'pass' && isSame(dmarc.domain, domain)) return { proven: true, by: 'dmarc' };
  const isSigned = dkim.some((signature) => signature.result === 'pass' && isSameOrParent(signature.domain, domain));
  if (isSigned) return { proven: true, by: 'dkim' };
  return { proven: false, reason: `SPF of ${domain} is ${spf.result}, and no DKIM signature vouches for it` };
}

/** The domain says that such a client sends nothing for it. */
function isDisowned(spf: Authentication['spf'], domain: string): boolean {
  return isSame(spf.domain, domain) && (spf.result === 'fail' || spf.result === 'softfail');
}

function isSame(named: string | null, domain: string): boolean {
  return named?.toLowerCase() === domain;
}

/** A parent signs for its subdomains, not the other way round: anybody gets a name under some domains. */
function isSameOrParent(signer: string | null, domain: string): boolean {
  if (signer === null) return false;
  const name = signer.toLowerCase();
  return name === domain || (name.includes('.') && domain.endsWith(`.${name}`));
}
