// Names that no server on the internet can have: those set apart for examples, trials and the machine itself (RFC 2606,
// RFC 6761), and names without a dot. Who greets others with one is taken for a broken or hostile host.
const reservedEnds = ['example', 'test', 'invalid', 'localhost', 'example.org', 'example.com', 'example.net'];

/** Why others cannot know a host under this name (lower case), as a sentence's end; null where they can. */
export function whyNotPublic(hostname: string): string | null {
  if (!hostname.includes('.')) return 'is not a name in the DNS: it has no dot';
  const isReserved = reservedEnds.some((end) => hostname === end || hostname.endsWith(`.${end}`));
  return isReserved ? 'is a placeholder: nobody can have this name in the DNS' : null;
}
