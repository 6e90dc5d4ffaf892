// Standardises the columns of a table and multiplies it by its own transpose: the correlation matrix of four columns.
#include <manycore/array.h>
#include <manycore/operations.h>

#include <cstdio>
#include <vector>

int main() {
  namespace mc = manycore;
  const int64_t rows = 100000, columns = 4;
  std::vector<double> numbers(rows * columns);
  // Column 0 rises, 1 falls, 2 goes in circles of 8 rows, 3 is column 0 plus twice column 2.
  for (int64_t row = 0; row < rows; ++row) {
    const double rising = static_cast<double>(row) / rows, circle = static_cast<double>(row % 8);
    numbers[row * columns + 0] = rising;
    numbers[row * columns + 1] = 1.0 - rising;
    numbers[row * columns + 2] = circle;
    numbers[row * columns + 3] = rising + 2.0 * circle;
  }
  const mc::Array table = mc::Array::from<double>(numbers, {rows, columns});

  const mc::Array centred = table - mc::mean(table, 0, true);
  const mc::Array deviation = mc::sqrt(mc::mean(centred * centred, 0, true));
  const mc::Array standard = centred / deviation;
  const mc::Array correlation = mc::matmul(standard.transpose(), standard) / rows;
  for (int64_t row = 0; row < columns; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      std::printf("%8.4f", correlation.elements<double>()[row * columns + column]);
    }
    std::printf("\n");
  }

  // Slices are views: writing through one changes the table. Errors are exceptions in NumPy's words.
  mc::Array first = table.slice(0, 0, 1);
  first.elements<double>()[0] = 42.0;
  std::printf("first element: %g\n", table.elements<double>()[0]);
  try {
    mc::Array wrong = table + mc::Array::zeros({3}, mc::DType::kFloat64);
  } catch (const mc::UserError& error) {
    std::printf("refused: %s\n", error.what());
  }
}
