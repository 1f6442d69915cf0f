// stripe-stateful-mock on the loopback address alone: its own starter listens everywhere.
// NODE_PATH leads to where it is installed; the address is printed when it listens.
const { createExpressApp } = require("stripe-stateful-mock");

require("loglevel").setLevel("silent");

// Whoever started this holds its standard input: when that ends, however it ended, so does this.
process.stdin.on("end", () => process.exit(0)).resume();

const server = createExpressApp().listen(Number(process.argv[2] || 0), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
