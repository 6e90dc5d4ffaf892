#include "bindings/site.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bindings/raise_later.h"

namespace manycore::python {
namespace {

std::vector<std::string>& library_folders() {
  static std::vector<std::string> folders;
  return folders;
}

PyObject* user_rule = nullptr;

// Code objects of one file share one name object, so the answer is kept by its address; the name is kept alive with it.
std::unordered_map<PyObject*, bool>& known_files() {
  static std::unordered_map<PyObject*, bool> files;
  return files;
}

void forget_files() {
  for (auto& [name, is_user] : known_files()) Py_DECREF(name);
  known_files().clear();
}

bool is_user_file(PyObject* name) {
  Py_ssize_t length = 0;
  const char* text = PyUnicode_AsUTF8AndSize(name, &length);
  if (text == nullptr) {
    PyErr_Clear();
    return false;
  }
  std::string_view file(text, static_cast<size_t>(length));
  if (user_rule != nullptr) {
    PyObject* answer = PyObject_CallOneArg(user_rule, name);
    const int truth = answer != nullptr ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (truth >= 0) return truth != 0;
    raise_later();  // the rule raises nothing of its own
  }
  if (file.starts_with("<frozen ") || file.starts_with("<__array_function__")) return false;
  if (file.find("/site-packages/") != std::string_view::npos || file.find("/dist-packages/") != std::string_view::npos)
    return false;
  for (const std::string& folder : library_folders()) {
    if (file.starts_with(folder)) return false;
  }
  return true;
}

bool is_user_code(PyCodeObject* code) {
  auto& files = known_files();
  auto found = files.find(code->co_filename);
  if (found != files.end()) return found->second;
  const bool is_user = is_user_file(code->co_filename);
  files.emplace(Py_NewRef(code->co_filename), is_user);
  return is_user;
}

}  // namespace

void add_library_folder(const char* folder) {
  library_folders().emplace_back(folder);
  forget_files();
}

void set_user_rule(PyObject* rule) {
  Py_XSETREF(user_rule, rule == Py_None ? nullptr : Py_XNewRef(rule));
  forget_files();
}

Site current_site() {
  // Resolving a new file may run a Python rule, which must not see or disturb an exception in flight.
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  Site site;
  PyFrameObject* frame = PyEval_GetFrame();
  Py_XINCREF(frame);
  while (frame != nullptr) {
    PyCodeObject* code = PyFrame_GetCode(frame);
    const bool is_user = is_user_code(code);
    PyFrameObject* back = is_user ? nullptr : PyFrame_GetBack(frame);
    if (back == nullptr) {
      site.code = code;
      site.offset = PyFrame_GetLasti(frame);
    } else {
      Py_DECREF(code);
    }
    Py_DECREF(frame);
    frame = back;
  }
  PyErr_Restore(type, value, traceback);
  return site;
}

int line_of(const Site& site) { return PyCode_Addr2Line(site.code, site.offset); }

}  // namespace manycore::python
