;;; actions.el --- What the tests ask of Eglot, in batch  -*- lexical-binding: t; -*-

;; Every function waits for what it needs with `accept-process-output', which returns as soon as the
;; server has said something. The result is printed as one line of JSON for each step.

(require 'eglot)
(require 'json)

(setq eglot-sync-connect 30
      eglot-autoshutdown nil
      eglot-confirm-server-edits nil
      eglot-send-changes-idle-time 0
      create-lockfiles nil
      make-backup-files nil)

(defvar lintseq-command (split-string (getenv "LINTSEQ_COMMAND") "\n"))
(defvar lintseq-options (json-parse-string (getenv "LINTSEQ_OPTIONS") :object-type 'plist :false-object :json-false))

(add-to-list 'eglot-server-programs
             (cons 'python-mode (append lintseq-command (list :initializationOptions lintseq-options))))

(defun lintseq-wait (what is-so)
  "Return what IS-SO does as soon as that is non-nil; WHAT is for the error."
  (let ((until (+ (float-time) 60)) result)
    (while (not (setq result (funcall is-so)))
      (when (> (float-time) until)
        (error "Waited in vain for %s" what))
      (accept-process-output nil 0.5))
    result))

(defun lintseq-say (&rest values)
  (princ (concat (decode-coding-string (json-serialize values) 'utf-8) "\n") #'external-debugging-output))

(defun lintseq-visit (path)
  (find-file path)
  (setq-local python-indent-guess-indent-offset nil)
  (unless (derived-mode-p 'python-mode) (python-mode))
  (eglot-ensure)
  (apply #'eglot (eglot--guess-contact))
  (lintseq-wait "the server" #'eglot-current-server))

(defun lintseq-action (line title)
  "Choose the code action at LINE (from 1) whose title has TITLE, and wait for its edit."
  (goto-char (point-min))
  (forward-line (1- line))
  (let* ((actions (append (eglot-code-actions (point) (point) nil nil) nil))
         (action (seq-find (lambda (each) (string-match-p (regexp-quote title) (plist-get each :title))) actions))
         (tick (buffer-chars-modified-tick)))
    (unless action (error "No such action: %S" (mapcar (lambda (each) (plist-get each :title)) actions)))
    (eglot-execute (eglot-current-server) action)
    (lintseq-wait "the edit" (lambda () (/= tick (buffer-chars-modified-tick))))))

(defun lintseq-synchronize ()
  "Send what was changed, and return when the server has read it."
  (eglot--signal-textDocument/didChange)
  (jsonrpc-request (eglot-current-server) :lintseq/explain
                   (list :textDocument (eglot--TextDocumentIdentifier))))

(defun lintseq-command (instruction)
  "The command `lintseq.edit' as Eglot sends it for a code action or a lens: it waits for the answer."
  (let ((argument (list :textDocument (eglot--TextDocumentIdentifier) :instruction instruction)))
    (eglot-execute (eglot-current-server)
                   (list :title "Edit" :command "lintseq.edit" :arguments (vector argument)))))

(defun lintseq-wait-for-text (text)
  "Until the buffer has TEXT; changes are sent as the idle timer does it for a user."
  (lintseq-wait text (lambda ()
                       (eglot--signal-textDocument/didChange)
                       (save-excursion (goto-char (point-min)) (search-forward text nil t)))))

(defun lintseq-complete (line)
  "Complete at the end of LINE (from 1) by the server's only item."
  (goto-char (point-min))
  (forward-line (1- line))
  (end-of-line)
  (let ((tick (buffer-chars-modified-tick)))
    (completion-at-point)
    (when (= tick (buffer-chars-modified-tick)) (error "Nothing was completed"))))

(defun lintseq-edit (instruction)
  "Edit by INSTRUCTION through the command, which asks for `workspace/applyEdit' for each step.
Asynchronous: while Emacs waits for an answer it tells of no change, and the server waits for those."
  (let (result)
    (jsonrpc-async-request
     (eglot-current-server) :workspace/executeCommand
     (list :command "lintseq.edit"
           :arguments (vector (list :textDocument (eglot--TextDocumentIdentifier) :instruction instruction)))
     :success-fn (lambda (answer) (setq result answer))
     :error-fn (lambda (failure) (setq result (list :failure failure)))
     :timeout 60)
    (lintseq-wait "the end" (lambda ()
                              (eglot--signal-textDocument/didChange) ; what the idle timer does for a user
                              result))))

(defun lintseq-report ()
  (lintseq-synchronize)
  (lintseq-say :text (buffer-substring-no-properties (point-min) (point-max))))

;;; actions.el ends here
