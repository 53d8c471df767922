// The animals as a task file exports them: an object of CommonJS, whose names need not be known beforehand.
const { tasks } = require('./animals.ts');

module.exports = tasks;
