// Whose verdict a field claims to be: Authentication-Results (RFC 8601 §2.2), ARC-Authentication-Results (RFC 8617 §4.1.1), which has
// `i=1;` before it, and Received-SPF (RFC 7208 §9.1), which names its host in its comment and as `receiver=`. Programs that trust a
// host read its name in different ways, so a field claims to be from all hosts that some program may read there.
import { domainToASCII } from 'node:url';
import { commentEnd } from './comments.ts';
import { decodeWords } from './decode-text.ts';

/** The names of the fields that hold a verdict. */
export const verdictField = /^(?:(?:arc-)?authentication-results|received-spf)$/i;

/** No honest field is beyond them: one that is claims to be from anybody. */
const [maxChars, maxPlaces] = [2_000, 100];

/**
 * Says whether a field claims to be the verdict of the host of that name. A message that comes in with such a field was
 * forged if that host is the one that takes it in and writes no such fields itself.
 */
export function claimsToJudge(
  { name, value }: { readonly name: string; readonly value: string },
  host: string,
): boolean {
  if (!verdictField.test(name)) return false;
  const placesIn = name.toLowerCase() === 'received-spf' ? receiversIn : authservIdIn;
  const texts = [...new Set([value, decodeWords(value)])].flatMap((text) => [text, withoutComments(text)]);
  const judge = domainToASCII(host).replace(/\.$/, '');
  return texts
    .map(placesIn)
    .some((places) => places.length > maxPlaces || places.some((place) => mayName(place, judge)));
}

/** What stands before the results: the first element, empty ones and `i=` aside. */
function authservIdIn(text: string): readonly string[] {
  const parts = text.split(';', maxPlaces * maxPlaces);
  const first = parts.find((part) => !/^[^A-Za-z0-9\u0080-\uffff]*(?:$|i[\s"]*=)/.test(part));
  return [first === undefined ? text : first.replace(/=(?!\?).*/s, '')];
}

/** Who is named as the host that checked: what stands in a comment before its colon, and `receiver=`. */
function receiversIn(text: string): readonly string[] {
  const places = [...text.matchAll(/receiver[\s"]*=\s*([^\s;]+)/gi)].map(([, host = '']) => host);
  for (let at = text.indexOf('('); at >= 0 && places.length <= maxPlaces; at = text.indexOf('(', at)) {
    const end = commentEnd(text, at);
    const comment = text.slice(at + 1, end === -1 ? undefined : end);
    places.push(...[comment, withoutComments(comment)].map((words) => words.replace(/:.*/s, '')));
    at = end === -1 ? text.length : end;
  }
  return places;
}

/** Says whether some program may read a host's name in a text: quotes, backslashes, and what cannot be seen, make no other name. */
function mayName(text: string, judge: string): boolean {
  const plain = text
    .normalize('NFKC')
    .replace(/\s+/g, ' ')
    .replace(/[\p{Cf}\p{Cc}"\\]/gu, '');
  if (plain.length > maxChars) return true;
  const names = `${plain} ${plain.replace(/ ?[.\u3002] ?/g, '.')}`.split(/[^\p{L}\p{M}\p{N}.\u3002_-]+/u);
  return names.some((name) => domainToASCII(name.replace(/^\.+|\.+$/g, '')) === judge);
}

/** Comments nest; one that is never closed goes on to the end. */
function withoutComments(text: string): string {
  let kept = '';
  for (let at = 0; at < text.length; ) {
    const open = text.indexOf('(', at);
    if (open === -1) return kept + text.slice(at);
    kept += `${text.slice(at, open)} `;
    const end = commentEnd(text, open);
    if (end === -1) return kept;
    at = end;
  }
  return kept;
}
