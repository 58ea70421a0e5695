// A search as Mailpit's users write it, in the words of ours (Mailpit's documentation, "Search filters").

/** Fields that ours has by another name; the others are the same. */
const renamed = new Map([
  ['cc', 'header:Cc='],
  ['bcc', 'to:'],
  ['addressed', 'to:'],
  ['reply-to', 'header:Reply-To='],
  ['message-id', 'header:Message-ID='],
]);

/** `!` negates there; `before:` and `after:` take `2026/11/27` too. Phrases stay as they are. */
export function fromMailpitSearch(query: string): string {
  const words = query.match(/[-!]?(?:[a-z-]+:)?"[^"]*"?|\S+/gi) ?? [];
  return words.map(asOurs).join(' ');
}

function asOurs(word: string): string {
  const [, minus = '', field, value = ''] = /^([-!]?)(?:([a-z-]+):(?!\/\/))?(.*)$/is.exec(word) ?? [];
  const not = minus === '' ? '' : '-';
  switch (field?.toLowerCase()) {
    case undefined:
      return `${not}${value}`;
    case 'has':
      return `${not}has:${value.replace(/^inline$/i, 'attachment')}`;
    case 'before':
    case 'after':
      return `${not}${field}:${value.replaceAll('/', '-')}`;
    default:
      return `${not}${asField(renamed.get(field?.toLowerCase() ?? '') ?? `${field}:`, value)}`;
  }
}

/** The name of a header field stands within the quotes. */
function asField(ours: string, value: string): string {
  const [, field = '', name = ''] = /^([a-z-]+:)(.*)$/i.exec(ours) ?? [];
  return value.startsWith('"') ? `${field}"${name}${value.slice(1)}` : `${ours}${value}`;
}
