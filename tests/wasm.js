// Runs the scenarios of a WebAssembly build and compares their digests with the file's: node wasm.js MODULE DIGESTS
'use strict';
const fs = require('node:fs');

const [modulePath, digestsPath] = process.argv.slice(2);
const module_ = new WebAssembly.Module(fs.readFileSync(modulePath));
const imports = WebAssembly.Module.imports(module_);
if (imports.length > 0) {
    console.error('the module asks its host for', imports);
    process.exit(1);
}
const { cases, replications, run, fingerprint } = new WebAssembly.Instance(module_).exports;
const lines = fs.readFileSync(digestsPath, 'utf8').trimEnd().split('\n').map((line) => line.split(/ +/));
const hex = (number) => BigInt.asUintN(64, number).toString(16).padStart(16, '0');

let wrong = lines.length === cases() ? 0 : 1;
lines.slice(0, cases()).forEach(([name, ...expected], number) => {
    const begin = process.hrtime.bigint();
    const found = [];
    for (let replication = 0; replication < replications(); replication += 1) {
        found.push(hex(run(number, replication)), hex(fingerprint()));
    }
    const equal = found.join(' ') === expected.join(' ');
    wrong += equal ? 0 : 1;
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    console.log(`${name}: ${equal ? 'equal to the bit' : `${found.join(' ')} instead of ${expected.join(' ')}`}, ${seconds.toFixed(1)} s`);
});
if (lines.length !== cases()) {
    console.error(`${digestsPath} has ${lines.length} lines for ${cases()} scenarios`);
}
process.exit(wrong === 0 ? 0 : 1);
