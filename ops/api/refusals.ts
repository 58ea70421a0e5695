// Every word by which the ops API says why it refuses (`error.code`), with its status and what it means. Programs go by the word: it
// stays, while the sentence beside it may change. docs/api.md and the OpenAPI description are made of this table.

/** `statuses`: those it may come with. `about`: for people. */
type RefusalFacts = { readonly statuses: readonly number[]; readonly about: string };

export const refusalTable = {
  'bad-parameter': {
    statuses: [400],
    about: 'a parameter is wrong, unknown, or given twice: `parameter` names it, the message says what was expected',
  },
  'bad-body': {
    statuses: [400],
    about: 'a field of the JSON body is wrong: `field` names it, the message says what was expected',
  },
  'bad-json': { statuses: [400], about: 'the body is not JSON' },
  'no-body': { statuses: [400, 413], about: '400: the request needs a JSON body; 413: it has one, and takes none' },
  'token-needed': { statuses: [401], about: 'the token is missing, or wrong' },
  'wrong-host': {
    statuses: [403],
    about: 'the server on loopback was called by another name, as web pages of others do',
  },
  'cross-site': { statuses: [403], about: 'a web page of another origin sent the request' },
  'release-not-allowed': {
    statuses: [403],
    about: 'release.to of the configuration does not name all of the addresses that a message is to be released to',
  },
  'not-found': {
    statuses: [404],
    about: 'there is no such message, delivery, address or path (with `paths`: those there are)',
  },
  'not-in-a-mailbox': {
    statuses: [404],
    about: 'the message is stored, but is in no mailbox here: its trace says why',
  },
  'wrong-method': { statuses: [405], about: 'the path has other methods: `Allow` names them' },
  timeout: {
    statuses: [408],
    about: 'no message came that fits; `arrived`, beside `error`, has what came instead',
  },
  changed: { statuses: [409], about: 'somebody else changed it at the same moment: try again' },
  'not-waiting': { statuses: [409], about: 'the delivery is under way or has ended: there is nothing to try' },
  'not-replayed': { statuses: [409], about: 'the message cannot be replayed so; the message says why' },
  'not-released': { statuses: [409], about: 'the message cannot be released so; the message says why' },
  'not-accepted': { statuses: [409], about: 'the message cannot be taken out of quarantine; the message says why' },
  'not-capture': {
    statuses: [409],
    about: 'only a capture server does that: it makes faults on purpose, and keeps what it is given (`capture`)',
  },
  'body-damaged': {
    statuses: [410],
    about: 'stored bytes are lost or altered: `key` names them, and nothing else is sent in their place',
  },
  'body-too-large': { statuses: [413], about: 'the body has more than `maxBytes`' },
  'url-too-long': { statuses: [414], about: 'the URL is longer than any that is needed' },
  'json-needed': { statuses: [415], about: 'the body has another content type than application/json' },
  'not-sent': {
    statuses: [403, 413, 422, 503],
    about:
      'the listener refused the message, for all recipients: `refusals` has its replies. 403: not from this address; 413: too large; 422: not like this; 503: later',
  },
  'wrong-tokens': {
    statuses: [429],
    about: 'too many wrong tokens from this address: `Retry-After` says for how long',
  },
  internal: { statuses: [500], about: 'a bug, or a fault of the machine: the log says why' },
  'not-here': { statuses: [501], about: 'something that Mailpit has and this does not; the message says what to use' },
  'no-upgrade': { statuses: [501], about: 'there is no WebSocket: `GET /api/events` are server-sent events' },
  busy: { statuses: [503], about: 'too many large requests are being read: `Retry-After`' },
  'too-many-waiting': { statuses: [503], about: 'too many wait for messages already: `Retry-After`' },
  'too-many-listeners': { statuses: [503], about: 'too many listen to events already: `Retry-After`' },
} as const satisfies Readonly<Record<string, RefusalFacts>>;

export type RefusalCode = keyof typeof refusalTable;

/** The statuses that a word may come with. */
export type RefusalStatus<Code extends RefusalCode> = (typeof refusalTable)[Code]['statuses'][number];
