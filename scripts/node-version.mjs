// Prints the Node that runs TaskFlow here; `setup.sh` shows it.

console.log(process.version);
