// The one reading of a header: by table, in any chunks, within its limits.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fieldText, fieldValue } from '#mail/header/header-fields.ts';
import { createHeaderReader, type Header, headerLimits, readHeader } from '#mail/header/read-header.ts';
import { hostileOctets } from '#test/support/samples/hostile-octets.ts';
import { cpuMs } from '#test/support/time/cpu-time.ts';

const read = (text: string) => readHeader(Buffer.from(text, 'latin1'));
const shown = ({ fields }: Header) => fields.map((field) => `${field.name}=${fieldText(field)}`);
const isDoubtful = ({ problems }: Header) => problems.some(({ isAuthorDoubtful }) => isAuthorDoubtful);

describe('the rules', () => {
  const rows: readonly {
    readonly text: string;
    readonly fields: readonly string[];
    readonly body?: string;
    readonly malformed?: boolean;
    readonly doubtful?: boolean;
  }[] = [
    { text: '', fields: [] },
    { text: '\r\nbody', fields: [], body: 'body' },
    { text: 'A: 1\r\nB: 2\r\n\tx\r\n y\r\n\r\nbody', fields: ['A=1', 'B=2\tx y'], body: 'body' },
    { text: 'A: 1\nB: 2\n\nbody', fields: ['A=1', 'B=2'], body: 'body' },
    { text: 'A: 1', fields: ['A=1'] },
    { text: 'A : 1\r\n\r\n', fields: ['A=1'], body: '' },
    { text: 'A: 1\r\n \r\n\r\nbody', fields: ['A=1'], body: 'body' },
    { text: 'A: 1\rB: 2\r x\r\r\nbody', fields: ['A=1', 'B=2 x'], body: 'body', malformed: true, doubtful: true },
    { text: 'A: 1\r\r\nFrom: x\r\n\r\n', fields: ['A=1'], body: 'From: x\r\n\r\n', malformed: true, doubtful: true },
    { text: 'A: 1\r\n\rFrom: x', fields: ['A=1'], body: 'From: x', malformed: true, doubtful: true },
    { text: 'A: 1\r\n\r', fields: ['A=1'], body: '', malformed: true, doubtful: true },
    { text: 'A: 1\r\ngarbage\r\n folded: x\r\nFrom: x\r\n\r\n', fields: ['A=1', 'From=x'], body: '', malformed: true },
    { text: 'From ann Thu Nov 26 07:12:00 2026\r\nA: 1\r\n\r\n', fields: ['A=1'], body: '', malformed: true },
    { text: '>From ann\r\nA: 1\r\n\r\n', fields: ['A=1'], body: '', malformed: true },
    { text: ': x\r\nA: 1\r\n\r\n', fields: ['A=1'], body: '', malformed: true },
    { text: ' folded\r\nA: 1\r\n\r\n', fields: ['A=1'], body: '', malformed: true },
    { text: '\xfc: 3\r\nA: 1\r\n\r\n', fields: ['A=1'], body: '', malformed: true },
    { text: 'A: \0\r\n\r\n', fields: ['A=\0'], body: '', malformed: true, doubtful: true },
    // What some programs take for an author field.
    ...['\v', '\f', '\xa0', '\xc2\xa0', '\xe2\x80\x8b', '\0', ' \v '].flatMap((odd) => [
      { text: `A: 1\r\nFrom${odd}: x\r\n\r\n`, fields: ['A=1'], body: '', malformed: true, doubtful: true },
      {
        text: `A: 1\r\n${odd.trim()}\vFr${odd}om: x\r\n\r\n`,
        fields: ['A=1'],
        body: '',
        malformed: true,
        doubtful: true,
      },
    ]),
    { text: '\xef\xbb\xbfFrom: x\r\n\r\n', fields: [], body: '', malformed: true, doubtful: true },
    { text: ' From: x\r\n\r\n', fields: [], body: '', malformed: true, doubtful: true },
    { text: 'A: 1\r\nFrom\r\n : x\r\n\r\n', fields: ['A=1'], body: '', malformed: true, doubtful: true },
    {
      text: 'A: 1\r\nB: 2\r\nFrom x@y.example\r\n\r\n',
      fields: ['A=1', 'B=2'],
      body: '',
      malformed: true,
      doubtful: true,
    },
    { text: 'A: 1\r\nSENDER\v: x\r\n\r\n', fields: ['A=1'], body: '', malformed: true, doubtful: true },
    { text: '>From: x\r\n\r\n', fields: ['>From=x'], body: '', malformed: true, doubtful: true },
    { text: 'From: x\r\ngarbage\r\n\r\n', fields: ['From=x'], body: '', malformed: true, doubtful: true },
    { text: 'Sender: x\r\n: y\r\n z\r\n\r\n', fields: ['Sender=x'], body: '', malformed: true, doubtful: true },
    { text: 'From: x\r\nA: 1\r\ngarbage\r\n\r\n', fields: ['From=x', 'A=1'], body: '', malformed: true },
    { text: 'From: x\r\n\v<y>\r\n\r\n', fields: ['From=x'], body: '', malformed: true, doubtful: true },
  ];
  for (const { text, fields, body, malformed = false, doubtful = false } of rows) {
    test(`${JSON.stringify(text)} has ${fields.join(', ') || 'no fields'}${doubtful ? ', and its author is doubtful' : ''}`, () => {
      const header = read(text);
      assert.deepEqual(shown(header), fields);
      assert.equal(header.hasEmptyLine, body !== undefined);
      assert.equal(text.slice(header.bodyOffset), body ?? '');
      assert.deepEqual([...new Set(header.problems.map(({ code }) => code))], malformed ? ['malformed-header'] : []);
      assert.equal(isDoubtful(header), doubtful);
    });
  }
});

test('whoever ends no line at a CR reads on behind an author field, or behind what looks like one', () => {
  const hidden = (text: string) => read(text).isAuthorHidden;
  assert.deepEqual(
    ['From: x\rA: 1\r\n\r\n', 'From\v: x\rA: 1\r\n\r\n', 'From: x\r\nm\rA: 1\r\n\r\n', '>From: x\r'].map(hidden),
    [true, true, true, true],
  );
  assert.deepEqual(['A: 1\rFrom: x\r\n\r\n', 'From\v: x\r\n\r\n'].map(hidden), [false, false]);
});

test('a field is its octets, with name, folds and line end, and where it stands', () => {
  const text = 'A: 1\r\ngarbage\r\nB : 2\n\t3\r\n\r\n';
  const { fields, fieldsEnd, bodyOffset, lines } = read(text);
  assert.deepEqual(
    fields.map(({ raw, offset, bytes }) => [Buffer.from(raw).toString(), offset, bytes]),
    [
      ['A: 1\r\n', 0, 6],
      ['B : 2\n\t3\r\n', 15, 10],
    ],
  );
  assert.deepEqual([fieldsEnd, bodyOffset, lines], [25, 27, 5]);
  assert.equal(Buffer.from(fieldValue(fields[1]!)).toString(), ' 2\n\t3');
});

test('lines at the end of the header that are no fields are there as well: to some they begin the body', () => {
  const header = read('A: 1\r\nhere is\r\n text\r\n\r\nmore');
  assert.equal(Buffer.from(header.trailing).toString(), 'here is\r\n text\r\n');
  assert.equal(read('A: 1\r\ngarbage\r\nB: 2\r\n\r\nmore').trailing.length, 0);
});

/** All that a reader makes of some chunks, in a form to compare. */
function inChunks(bytes: Uint8Array, cuts: readonly number[]): unknown {
  const reader = createHeaderReader();
  let header: Header | null = null;
  let at = 0;
  for (const size of [...cuts, bytes.length]) {
    header ??= reader.push(Uint8Array.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return plain(header ?? reader.finish());
}

function plain({ fields, lookalikes, trailing, ...rest }: Header): unknown {
  const hex = (list: Header['fields']) =>
    list.map(({ raw, ...field }) => ({ ...field, raw: Buffer.from(raw).toString('hex') }));
  return { ...rest, fields: hex(fields), lookalikes: hex(lookalikes), trailing: Buffer.from(trailing).toString('hex') };
}

test('the same octets give the same header, wherever they are cut', () => {
  fc.assert(
    fc.property(hostileOctets, fc.array(fc.nat(7), { maxLength: 40 }), (bytes, cuts) => {
      assert.deepEqual(inChunks(bytes, cuts), plain(readHeader(bytes)));
    }),
    { numRuns: 2_000 },
  );
});

test('the fields and the empty line are where the header says', () => {
  fc.assert(
    fc.property(hostileOctets, (bytes) => {
      const { fields, fieldsEnd, bodyOffset, hasEmptyLine } = readHeader(bytes);
      for (const { raw, offset } of fields)
        assert.deepEqual(Buffer.from(raw), bytes.subarray(offset, offset + raw.length));
      assert.match(bytes.toString('latin1', fieldsEnd, bodyOffset), hasEmptyLine ? /^(?:\r\n|\r|\n)$/ : /^$/);
    }),
    { numRuns: 1_000 },
  );
});

describe('limits', () => {
  const small = { headerBytes: 100, fields: 5, fieldBytes: 60 };

  test('a field over its limit is cut, and that is said', () => {
    const { fields, problems } = readHeader(Buffer.from(`A: ${'x'.repeat(100)}\r\nB: 1\r\n\r\n`), small);
    assert.deepEqual(
      fields.map(({ name, raw, bytes }) => [name, raw.length, bytes]),
      [
        ['A', 60, 105],
        ['B', 6, 6],
      ],
    );
    assert.deepEqual(
      problems.map(({ code, isAuthorDoubtful }) => [code, isAuthorDoubtful]),
      [['header-too-large', true]],
    );
  });

  test('From and Content-Type have room of their own behind what fills the header', () => {
    const filler = `X: ${'y'.repeat(40)}\r\n`.repeat(50);
    const text = `${filler}From: a@b.example\r\nContent-Type: text/html\r\nTo: c@d.example\r\n\r\n`;
    const { fields, problems, bodyOffset } = readHeader(Buffer.from(text), small);
    assert.deepEqual(
      fields.map(({ name }) => name),
      ['X', 'X', 'From', 'Content-Type'],
    );
    assert.equal(problems[0]?.code, 'header-too-large');
    assert.equal(bodyOffset, text.length);
  });

  test('a reader that wants one field keeps no other, and has it at once', () => {
    const reader = createHeaderReader({ ...headerLimits, wanted: /^received$/i });
    reader.push(Buffer.from('Received: a\r\nX: 1\r\nreceived: b\r\nY: 2'));
    assert.deepEqual(
      reader.fields.map(({ raw }) => Buffer.from(raw).toString()),
      ['Received: a\r\n', 'received: b\r\n'],
    );
  });

  test('time grows with length, however the octets lie and come', () => {
    for (const unit of ['\r', 'a\r', '\r\n ', ' \n', 'a:\n', 'a', '\0', 'From\v:\r\n', 'a\n']) {
      const bytes = Buffer.from(unit.repeat(400_000 / unit.length));
      assert.ok(cpuMs(() => void readHeader(bytes)) < 500, unit);
      const reader = createHeaderReader();
      const piecewise = () => {
        for (let at = 0; at < 50_000; at++) reader.push(bytes.subarray(at, at + 1));
      };
      assert.ok(cpuMs(piecewise) < 500, unit);
    }
  });
});
