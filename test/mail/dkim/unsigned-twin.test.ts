// Which valid signatures prove nothing about what a reader shows (RFC 6376 §8.15).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unsignedTwin } from '#mail/dkim/unsigned-twin.ts';

const rows: readonly [title: string, names: readonly string[], signed: readonly string[], twin: string | null][] = [
  ['one Subject, signed', ['From', 'Subject'], ['from', 'subject'], null],
  ['two Subjects, one signed', ['Subject', 'From', 'SUBJECT'], ['from', 'subject'], 'subject'],
  ['two Subjects, both signed', ['Subject', 'From', 'Subject'], ['Subject', 'from', 'Subject'], null],
  ['two Subjects, none signed', ['Subject', 'From', 'Subject'], ['from'], 'subject'],
  ['one Subject, not signed', ['From', 'Subject'], ['from'], null],
  ['two From fields, one signed', ['From', 'From'], ['from'], 'from'],
  ['two Received fields, one signed', ['From', 'Received', 'Received'], ['from', 'received'], null],
  ['two Content-Types, one signed', ['From', 'Content-Type', 'content-type'], ['from', 'content-type'], 'content-type'],
  ['a name that is a property of every object', ['constructor', 'constructor'], ['constructor'], null],
];
for (const [title, names, signed, twin] of rows) {
  test(`of a header with ${title}, ${twin === null ? 'every field is what was signed' : `${twin} is not`}`, () => {
    assert.equal(unsignedTwin(names, signed), twin);
  });
}
