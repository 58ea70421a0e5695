import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { safeFilename } from '#functions/parse/mime/safe-filename.ts';

const rows = [
  { name: 'report.pdf', safe: 'report.pdf' },
  { name: 'Übersicht 2026.pdf', safe: 'Übersicht 2026.pdf' },
  { name: '../../etc/passwd', safe: 'passwd' },
  { name: 'C:\\Windows\\system32\\cmd.exe', safe: 'cmd.exe' },
  { name: '/etc/', safe: 'attachment' },
  { name: '..', safe: 'attachment' },
  { name: '.bashrc', safe: 'bashrc' },
  { name: '', safe: 'attachment' },
  { name: null, safe: 'attachment' },
  { name: 'a\0b\r\nc.txt', safe: 'abc.txt' },
  { name: 'invoice\u202Efdp.exe', safe: 'invoicefdp.exe' },
  { name: 'CON', safe: '_CON' },
  { name: 'nul.txt', safe: '_nul.txt' },
  { name: 'com1 .txt', safe: '_com1 .txt' },
  { name: 'console.txt', safe: 'console.txt' },
  { name: 'a<b>:"|?*.txt', safe: 'a_b______.txt' },
  { name: 'file.txt...', safe: 'file.txt' },
  { name: '\ud800.txt', safe: 'txt' },
  { name: `${'ü'.repeat(300)}.pdf`, safe: `${'ü'.repeat(98)}.pdf` },
  { name: `a.${'x'.repeat(300)}`, safe: `a.${'x'.repeat(198)}` },
];
for (const { name, safe } of rows) {
  test(`${JSON.stringify(name?.slice(0, 40) ?? null)} is saved as ${JSON.stringify(safe.slice(0, 40))}`, () => {
    assert.equal(safeFilename(name), safe);
  });
}

test('whatever the name, the safe one has no path, no control characters, 1 to 200 bytes, and is safe as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (name) => {
      const safe = safeFilename(name);
      assert.doesNotMatch(safe, /[/\\\p{Cc}\p{Cs}<>:"|?*]/u);
      assert.doesNotMatch(safe, /^\.|[. ]$/);
      const bytes = Buffer.byteLength(safe);
      assert.ok(bytes > 0 && bytes <= 200);
      assert.equal(safeFilename(safe), safe);
    }),
    { numRuns: 500 },
  );
});
