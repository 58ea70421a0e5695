// What the console makes of texts, without a browser: addresses, searches, verdicts, calendars, MIME trees, charts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { barsOf } from '#ops/console/app/text/activity-bars.ts';
import { readCalendar, timesOf } from '#ops/console/app/text/calendar.ts';
import { counted, size, span } from '#ops/console/app/text/figures.ts';
import { fromText } from '#ops/console/app/text/from-text.ts';
import { mimeTree } from '#ops/console/app/text/mime-tree.ts';
import { readPlace, writePlace } from '#ops/console/app/text/place.ts';
import { complete, searchParameters, suggest, terms, toggled } from '#ops/console/app/text/search-words.ts';
import { reportSupport } from '#ops/content/client-report.ts';
import { checksOf, headline } from '#ops/content/verdict-words.ts';
import { visible, visibleText } from '#ops/content/visible-text.ts';
import { corpus } from '#test/support/samples/corpus.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';

describe('the address behind # says what is shown', () => {
  for (const hash of [
    '#/mail',
    '#/mail/01KAJ5XQ000000000000000001',
    '#/mail/01KAJ5XQ000000000000000001/ann%40a.example?q=is%3Aunread+from%3Abob&tab=checks',
    '#/trace/01KAJ5XQ000000000000000001',
    '#/deliveries/waiting',
    '#/queues',
    '#/overview?span=7d',
    '#/leave?to=https%3A%2F%2Fb.example%2F%3Fa%3D1%26b%3D2',
  ]) {
    test(`${hash} is read and written as it is`, () => assert.equal(writePlace(readPlace(hash)), hash));
  }
  test('what says nothing, or nothing known, is the list of mail; earlier names lead on', () => {
    for (const hash of ['', '#', '#/', '#/nonsense/x', '#/mail/']) assert.equal(writePlace(readPlace(hash)), '#/mail');
    assert.equal(readPlace('#/activity').view, 'overview');
    assert.equal(readPlace('#/mail/%E0%A4%A').id, '%E0%A4%A');
  });
});

describe('a search', () => {
  const known = { mailboxes: ['ann@a.example', 'two words@a.example'], tags: ['signup'], senders: ['bob@b.example'] };
  const texts = (text: string, caret = text.length) => suggest(text, caret, known).map((one) => one.text);
  test('fields and their values are suggested for the word at the caret', () => {
    assert.deepEqual(texts('hello ta'), ['tag:']);
    assert.deepEqual(texts('-t'), ['-to:', '-tag:']);
    assert.deepEqual(texts('tag:s'), ['tag:signup']);
    assert.deepEqual(texts('is:'), ['is:unread', 'is:read']);
    assert.deepEqual(texts('from:B x', 6), ['from:bob@b.example']);
    assert.deepEqual(texts('mailbox:two'), ['mailbox:"two words@a.example"']);
    assert.deepEqual(texts('tag:signup'), []);
    assert.equal(texts('').length, 15);
  });
  test('what is chosen takes the place of the word, and the caret stands behind it', () => {
    assert.deepEqual(complete('hello ta there', 8, 'tag:'), { text: 'hello tag:there', caret: 10 });
    assert.deepEqual(complete('is:un', 5, 'is:unread'), { text: 'is:unread ', caret: 10 });
  });
  test('a term is put in and taken out, quoted phrases stay whole', () => {
    assert.equal(toggled('from:"A B" x', 'is:unread'), 'from:"A B" x is:unread');
    assert.equal(toggled('is:unread from:"A B"', 'is:unread'), 'from:"A B"');
    assert.deepEqual(terms('a "b c" subject:"d e" "open'), ['a', '"b c"', 'subject:"d e"', '"open']);
  });
});

test('a search for one mailbox asks for its list alone', () => {
  const asked = (query: string) => Object.fromEntries(searchParameters(query));
  assert.deepEqual(asked('mailbox:@a.example is:unread x'), { mailbox: '@a.example', q: 'is:unread x' });
  assert.deepEqual(asked('mailbox:"a b@a.example"'), { mailbox: 'a b@a.example' });
  assert.deepEqual(asked('-mailbox:a@a.example'), { q: '-mailbox:a@a.example' });
  assert.deepEqual(asked('mailbox:a@a.example mailbox:b@a.example'), { q: 'mailbox:a@a.example mailbox:b@a.example' });
  assert.deepEqual(asked(' '), {});
});

describe('texts of senders', () => {
  test('direction and control characters are shown by their code', () => {
    assert.equal(visible('a\u202egnp.exe\u0000'), 'a[U+202E]gnp.exe[U+0000]');
    assert.equal(visible('\u200fx\ufeff'), '[U+200F]x[U+FEFF]');
    assert.equal(visibleText('\u200fשלום\n\u202ex'), '\u200fשלום\n[U+202E]x');
  });
  test('name and address of the list are told apart', () => {
    assert.deepEqual(fromText('Ann <x> <ann@a.example>'), { name: 'Ann <x>', address: 'ann@a.example' });
    assert.deepEqual(fromText('ann@a.example'), { name: '', address: 'ann@a.example' });
  });
  test('figures are short', () => {
    assert.deepEqual([size(900), size(1_536), size(20_480), size(5_242_880)], ['900 B', '1.5 KB', '20 KB', '5.0 MB']);
    assert.deepEqual([counted(1, 'try', 'tries'), counted(1_200, 'message')], ['1 try', '1,200 messages']);
    assert.deepEqual([span(5), span(600), span(7_200), span(400_000)], ['5 s', '10 min', '2 h', '5 days']);
  });
});

describe('verdicts in plain words', () => {
  const { authentication, session } = sampleMessage();
  const none = { result: 'none', domain: 'b.example', policy: null, aligned: { spf: false, dkim: false } } as const;
  const cases = [
    {
      about: 'a pass names the domain and what proved it',
      of: {},
      tone: 'good',
      text: 'Sent by b.example',
      why: 'SPF and DKIM pass, aligned',
    },
    {
      about: 'quarantine says why',
      of: { disposition: { action: 'quarantine', reason: 'DMARC asks for it' } as const },
      tone: 'bad',
      text: 'Quarantined',
      why: 'DMARC asks for it',
    },
    {
      about: 'a fail that was accepted is no pass',
      of: { authentication: { ...authentication, dmarc: { ...none, result: 'fail' as const, reason: 'not aligned' } } },
      tone: 'bad',
      text: 'Not from b.example',
      why: 'not aligned',
    },
    {
      about: 'without a policy nothing is proven',
      of: { authentication: { ...authentication, dmarc: { ...none, reason: 'no policy' } } },
      tone: 'plain',
      text: 'Sender not proven',
      why: 'no policy',
    },
    {
      about: 'a user is proven by the password',
      of: { session: { ...session, user: 'app@a.example' } },
      tone: 'good',
      text: 'Sent by app@a.example',
      why: 'logged in with a password',
    },
  ];
  for (const { about, of, tone, text, why } of cases) {
    test(about, () => assert.deepEqual(headline(sampleMessage(of)), { tone, text, why }));
  }
  test('each check has the DNS records that decided, and failures of the DNS in words', () => {
    const evidence = [
      { name: 'b.example', type: 'TXT', outcome: { kind: 'answer', json: '[["v=spf1 ","-all"],["other"]]' } },
      { name: 's1._domainkey.b.example', type: 'TXT', outcome: { kind: 'answer', json: '[["v=DKIM1; p=x"]]' } },
      { name: 's2._domainkey.b.example', type: 'TXT', outcome: { kind: 'error', code: 'ENOTFOUND' } },
      { name: '_dmarc.b.example', type: 'TXT', outcome: { kind: 'error', code: 'ETIMEOUT' } },
      {
        name: 'b.example',
        type: 'MX',
        outcome: { kind: 'answer', json: '[{"exchange":"mx.b.example","priority":10}]' },
      },
    ] as const;
    const checks = checksOf({ ...authentication, evidence: [...evidence] });
    const records = checks.map(({ name, records: found }) => [name, found.map(({ text }) => text)]);
    assert.deepEqual(records, [
      ['SPF', ['v=spf1 -all\nother']],
      ['DKIM', ['v=DKIM1; p=x']],
      ['DMARC', ['no answer in time']],
      ['ARC', []],
    ]);
  });
});

describe('attachments and parts', () => {
  test('an invitation tells when and where, its alarm does not', () => {
    const text = [
      'BEGIN:VCALENDAR',
      'METHOD:REQUEST',
      'BEGIN:VEVENT',
      'SUMMARY:Call\\, with Ann',
      'DTSTART;TZID=Europe/Berlin:20261204T140000',
      'DTEND:20261204T143000Z',
      'RRULE:FREQ=WEEKLY;BYDAY=FR',
      'LOCATION:Room A very long',
      '  name',
      'ORGANIZER;CN="Ann; B":mailto:ann@a.example',
      'ATTENDEE:mailto:bob@b.example',
      'BEGIN:VALARM',
      'SUMMARY:Wake up',
      'END:VALARM',
      'END:VEVENT',
      'END:VCALENDAR',
    ].join('\r\n');
    assert.deepEqual(readCalendar(text), {
      method: 'REQUEST',
      events: [
        {
          summary: 'Call, with Ann',
          start: '2026-12-04 14:00 Europe/Berlin',
          end: '2026-12-04 14:30 UTC',
          place: 'Room A very long name',
          repeats: 'weekly',
          organizer: 'Ann; B <ann@a.example>',
          attendees: ['bob@b.example'],
        },
      ],
    });
    const times = [
      ['2026-12-04 14:00 Europe/Berlin', '2026-12-04 14:30 Europe/Berlin', '2026-12-04 14:00 to 14:30 Europe/Berlin'],
      ['2026-12-04 14:00', '2026-12-04 14:30 UTC', '2026-12-04 14:00 to 2026-12-04 14:30 UTC'],
      ['2026-12-04', '2026-12-06', '2026-12-04 to 2026-12-06'],
      ['2026-12-04', '', '2026-12-04'],
    ] as const;
    for (const [start, end, told] of times) assert.equal(timesOf({ start, end }), told);
    assert.deepEqual(readCalendar('no calendar'), { method: '', events: [] });
  });

  test('the tree has the parts that the message declares', () => {
    const raw = [
      'Content-Type: multipart/mixed;',
      ' boundary="b"',
      '',
      'preamble',
      '--b',
      'Content-Type: multipart/alternative; boundary=c',
      '',
      '--c',
      '',
      'plain',
      '--c',
      'Content-Type: text/html; charset=utf-8',
      'Content-Transfer-Encoding: Base64',
      '',
      'PGI+',
      '--c--',
      '--b',
      'Content-Type: application/pdf',
      "Content-Disposition: attachment; filename*0*=UTF-8''a%20; filename*1=b.pdf",
      '',
      'x',
      '--b--',
      'epilogue',
    ].join('\r\n');
    const { type, parts } = mimeTree(raw);
    assert.equal(type, 'multipart/mixed');
    const [text, file] = parts;
    assert.deepEqual(
      text?.parts.map((part) => [part.type, part.charset, part.encoding, part.bytes]),
      [
        ['text/plain', null, null, 5],
        ['text/html', 'utf-8', 'base64', 4],
      ],
    );
    assert.deepEqual([file?.type, file?.filename, file?.disposition], ['application/pdf', 'a b.pdf', 'attachment']);
  });

  test('a tree is made of any message, however it is broken, in time by its length', () => {
    for (const { bytes } of corpus()) mimeTree(Buffer.from(bytes).toString('latin1'));
    const deep = 'Content-Type: multipart/mixed; boundary=b\n\n--b\n'.repeat(5_000);
    assert.equal(mimeTree(deep).type, 'multipart/mixed');
  });
});

describe('charts and reports', () => {
  test('what moved is put into the bar of its time, and what is older into none', () => {
    const now = Date.parse('2026-11-27T10:30:20.000Z');
    const moved = [
      { at: '2026-11-27T10:30:00.000Z', received: 7 },
      { at: '2026-11-27T09:31:00.000Z', received: 2, refused: 1 },
      { at: '2026-11-27T09:30:00.000Z', received: 100 },
    ];
    const { starts, counts } = barsOf('1h', moved, now);
    assert.equal(starts.length, 60);
    assert.equal(new Date(starts[0] ?? 0).toISOString(), '2026-11-27T09:31:00.000Z');
    assert.deepEqual([counts('received')[0], counts('received')[59], counts('refused')[0]], [2, 7, 1]);
    assert.equal(barsOf('7d', moved, now).counts('received').at(-1), 7);
  });

  test('features that programs lack come first, and a program is judged by what is known of it', () => {
    const support = {
      clients: ['A', 'B', 'C'],
      features: { grid: ['display: grid', 'ynu'], gap: ['gap', 'yau'], p: ['<p>', 'yyy'] },
    } as const;
    const report = reportSupport(new Set(['grid', 'gap', 'p', 'unknown']), support);
    assert.equal(report.used, 3);
    assert.deepEqual(report.features, [
      { slug: 'grid', title: 'display: grid', lacking: ['B'], partial: [], known: 2 },
      { slug: 'gap', title: 'gap', lacking: [], partial: ['B'], known: 2 },
    ]);
    assert.deepEqual(report.clients, [
      { client: 'A', supported: 1 },
      { client: 'B', supported: 0.5 },
    ]);
    const [first] = reportSupport(new Set(['unknown']), support).clients;
    assert.deepEqual(first, { client: 'A', supported: 1 }, 'what uses nothing is shown everywhere');
  });
});
