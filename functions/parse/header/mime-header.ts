// The fields about the body, which the MIME parser is given in place of the whole header: so it reads no field on its own.
import { limits } from '#functions/parse/limits.ts';
import type { ProblemList } from '#functions/parse/problems.ts';
import { fieldsNamed, fieldValue } from '#mail/header/header-fields.ts';
import type { Header } from '#mail/header/read-header.ts';
import { withoutComments } from './without-comments.ts';

/** The first field of each kind, in a form that the parser reads in one way only, and the empty line behind them. */
export function mimeHeader({ fields }: Pick<Header, 'fields'>, problems: ProblemList): Uint8Array {
  const lines: Buffer[] = [];
  for (const name of ['content-type', 'content-transfer-encoding', 'content-disposition', 'content-id']) {
    const [field] = fieldsNamed(fields, name);
    if (field === undefined) continue;
    const value = Buffer.from(fieldValue(field));
    if (value.length > limits.mimeFieldBytes) problems.add('malformed-mime', `the field ${name} is too long`);
    lines.push(Buffer.from(`${name}:`), readable(name, value.subarray(0, limits.mimeFieldBytes), problems));
    lines.push(Buffer.from('\r\n'));
  }
  return Buffer.concat([...lines, Buffer.from('\r\n')]);
}

/**
 * A multipart that names no boundary has no parts that could be found, and a type that is none says nothing: both
 * bodies are read as plain text (RFC 2045 §5.2).
 */
function readable(name: string, value: Buffer, problems: ProblemList): Buffer {
  if (name !== 'content-type' && name !== 'content-transfer-encoding') return value;
  const text = withoutComments(value.toString('latin1'));
  if (name !== 'content-type') return Buffer.from(text, 'latin1');
  if (text.trim() === '') return value;
  if (!/^\s*[^\s;/]+\s*\/\s*[^\s;/]+\s*(;|$|\()/.test(text)) {
    problems.add('malformed-content-type', 'the message has a type that is not a media type: it is read as text');
    return Buffer.from(' text/plain');
  }
  if (!/^\s*multipart\s*\//i.test(text) || /boundary\s*(?:\*0?\*?)?\s*=\s*(?:"\s*[^"\s]|[^"\s;])/i.test(text))
    return Buffer.from(text, 'latin1');
  problems.add('malformed-mime', 'a multipart without a boundary: its body is given as text');
  return Buffer.from(' text/plain');
}
