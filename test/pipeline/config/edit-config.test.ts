// Edits of `pillarbox.json`: what was asked for changes, all else stays as its author wrote it, comments included.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'jsonc-parser';
import { appendToArray, removeFromArray, removeMember, setValue } from '#pipeline/config/edit-config.ts';

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

for (const { title, text, index, edited } of [
  { title: 'the only one', text: '{ "users": ["a"] }', index: 0, edited: '{ "users": [] }' },
  { title: 'the first on a line', text: '{ "users": [ "a", "b" ] }', index: 0, edited: '{ "users": [ "b" ] }' },
  { title: 'one in the midst of a line', text: '["a", "b", "c"]', index: 1, edited: '["a", "c"]' },
  { title: 'the last on a line', text: '{ "users": ["a", "b"] }', index: 1, edited: '{ "users": ["a"] }' },
  { title: 'the last before a trailing comma', text: '["a", "b",]', index: 1, edited: '["a",]' },
  { title: 'packed', text: '["a","b","c"]', index: 1, edited: '["a","c"]' },
  {
    title: 'with the comment behind it, which is its own; those above it and behind others stay',
    text: '[\n  // people\n  "a", // Ann\n  "b" /* Bob, */\n]',
    index: 0,
    edited: '[\n  // people\n  "b" /* Bob, */\n]',
  },
  {
    title: 'the last one takes the comma before it along, and leaves the comment there',
    text: '[\n  "a", // Ann, first\n  "b" // Bob\n]',
    index: 1,
    edited: '[\n  "a" // Ann, first\n]',
  },
  {
    title: 'a trailing comma stays one; tabs and CRLF stay',
    text: '[\r\n\t"a",\r\n\t{\r\n\t\t"b": 1\r\n\t},\r\n]\r\n',
    index: 1,
    edited: '[\r\n\t"a",\r\n]\r\n',
  },
  {
    title: 'a comment that stands before another item of the line is not its own',
    text: '[\n  "a", /* Bob */ "b"\n]',
    index: 0,
    edited: '[\n  /* Bob */ "b"\n]',
  },
]) {
  test(`taking an item out of a list: ${title}`, () => {
    const path = text.startsWith('[') ? [] : ['users'];
    assert.equal(removeFromArray(text, path, index), edited);
  });
}

test('whatever the layout, an item that is taken out leaves the others, and every comment that is not on its line', () => {
  const blanks = fc.constantFrom('', ' ', '\n', '\n\t', ' // a, "b"\n', ' /* c, ] */ ', '\r\n  ');
  const item = fc.constantFrom('1', '"x, // y"', '{ "z": [1, 2] /* in */ }', '[ ]');
  const parts = fc.array(fc.tuple(blanks, item, blanks), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(parts, fc.nat(), fc.boolean(), blanks, (all, n, hasTrailing, tail) => {
      const text = `[${all.map((part) => part.join('')).join(',')}${hasTrailing ? `,${tail}` : ''}]`;
      const index = n % all.length;
      const read = (of: string) => parse(of, [], { allowTrailingComma: true });
      assert.deepEqual(read(removeFromArray(text, [], index)), read(text).toSpliced(index, 1), text);
    }),
    { numRuns: 500 },
  );
});

for (const { title, text, name, edited } of [
  { title: 'the only one', text: '{ "a": 1 }', name: 'a', edited: '{ }' },
  { title: 'the first on a line', text: '{ "a": 1, "b": [2, 3] }', name: 'a', edited: '{ "b": [2, 3] }' },
  { title: 'the last on a line', text: '{"a": 1, "b": {"c": 1}}', name: 'b', edited: '{"a": 1}' },
  {
    title: 'with the comment on its line; the one above it stays',
    text: '{\n  // old\n  "a": {\n    "x": 1 // y\n  }, // A\n  "b": 2 // B\n}',
    name: 'a',
    edited: '{\n  // old\n  "b": 2 // B\n}',
  },
]) {
  test(`taking a member out of an object: ${title}`, () => {
    assert.equal(removeMember(text, [], name), edited);
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
  assert.throws(() => removeFromArray('{"users":[]}', ['users'], 0), /users\.0 is not there/);
  assert.throws(() => removeMember('{"users":{}}', ['users'], 'b'), /users\.b is not there/);
  assert.throws(() => removeMember('{"users":[]}', ['users'], 'b'), /users\.b is not there/);
});
