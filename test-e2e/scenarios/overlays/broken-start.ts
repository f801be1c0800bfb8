// A release that cannot start.
process.stderr.write("Error: Cannot find module './prices.js'\n");
process.exit(1);
