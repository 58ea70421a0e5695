// Edits of `pillarbox.json`: what was asked for changes, all else stays as its author wrote it, comments included.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'jsonc-parser';
import { appendToArray, setValue } from '#pipeline/config/edit-config.ts';

const user = { name: 'b', mayFrom: ['b@x.example'] };

for (const { title, text, edited } of [
  { title: 'an empty object', text: '{}', edited: '{\n  "users": [\n    "b"\n  ]\n}' },
  { title: 'an empty list', text: '{ "users": [] }', edited: '{ "users": [\n  "b"\n] }' },
  { title: 'a list on one line', text: '{ "users": ["a"] }', edited: '{ "users": ["a", "b"] }' },
  {
    title: 'a list on one line with a trailing comma',
    text: '{ "users": ["a",] }',
    edited: '{ "users": ["a", "b",] }',
  },
  {
    title: 'a comment behind the last item stays behind it',
    text: '{\n  "users": [\n    "a" // last\n  ]\n}',
    edited: '{\n  "users": [\n    "a", // last\n    "b"\n  ]\n}',
  },
  {
    title: 'a trailing comma stays one',
    text: '{\n  "users": [\n    "a", // first, really\n  ],\n}',
    edited: '{\n  "users": [\n    "a", // first, really\n    "b",\n  ],\n}',
  },
  {
    title: 'a list that holds only a comment',
    text: '{\n  "users": [\n    // nobody yet\n  ]\n}',
    edited: '{\n  "users": [\n    // nobody yet\n    "b"\n  ]\n}',
  },
  {
    title: 'tabs and CRLF are taken over',
    text: '{\r\n\t"users": [\r\n\t\t"a"\r\n\t]\r\n}\r\n',
    edited: '{\r\n\t"users": [\r\n\t\t"a",\r\n\t\t"b"\r\n\t]\r\n}\r\n',
  },
  {
    title: 'a list that is not there, behind a comment and an odd line',
    text: '// ours\n{\n  "hostname":"mx.x.example" /* the "users": none */\n}\n',
    edited: '// ours\n{\n  "hostname":"mx.x.example", /* the "users": none */\n  "users": [\n    "b"\n  ]\n}\n',
  },
]) {
  test(`appending to a list: ${title}`, () => {
    assert.equal(appendToArray(text, ['users'], 'b'), edited);
    const added = parse(appendToArray(text, ['users'], user), [], { allowTrailingComma: true });
    assert.deepEqual(added.users.at(-1), user);
  });
}

test('a value is set where it stands, and made where it is not, with the objects on its way', () => {
  const text = '{\n  "users": [ { "name": "a", "password": "1" /* old */ } ]\n}\n';
  assert.equal(setValue(text, ['users', 0, 'password'], '2'), text.replace('"1"', '"2"'));
  const made = setValue(text, ['domains', 'x.example', 'dkim'], []);
  assert.deepEqual(parse(made).domains, { 'x.example': { dkim: [] } });
  assert.ok(made.includes('"1" /* old */'));
});

test('what is no list is not appended to, and what is no object gets no member', () => {
  assert.throws(() => appendToArray('{"users":{}}', ['users'], 'b'), /users is not an array/);
  assert.throws(() => setValue('[]', ['users'], 'b'), /the file is not an object/);
});
